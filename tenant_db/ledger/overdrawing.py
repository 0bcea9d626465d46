"""Tells people of accounts that fell below their floor because nobody here decided it."""

from core.alerts import AlertKind
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.alerts.raising import raise_alert
from tenant_db.ledger.book import Book


async def alert_overdrafts(session: TenantSession, book: Book) -> None:
    """Raise an alert for each account that what was just posted has left below its floor."""
    for account in sorted(book.changed_accounts(), key=lambda account: account.code):
        if account.floor_minor is None or account.available_minor >= account.floor_minor:
            continue
        lacks = Money(account.floor_minor - account.available_minor, account.currency)
        message = f"{account.code} lacks {lacks}: the provider took money that was not there."
        details = {"lacking_minor": str(lacks.minor), "currency": account.currency.value}
        await raise_alert(session, AlertKind.OVERDRAFT, account.code, message, details=details)
