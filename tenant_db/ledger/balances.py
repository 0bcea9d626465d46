"""Balances of a store: one for each holding, and their sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from core.currency import Currency
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.rules import Custody


@dataclass(frozen=True, slots=True)
class HoldingBalance:
    """What one store has at one holding."""

    holding: str
    """The TypeID of the channel, provider account or wallet."""
    custody: Custody
    total: Money
    """Posted."""
    reserved: Money
    """Taken by pending holds."""

    @property
    def available(self) -> Money:
        return self.total - self.reserved


@dataclass(frozen=True, slots=True)
class Balance:
    """The sum over a store's holdings in one currency."""

    total: Money
    reserved: Money
    holdings: Sequence[HoldingBalance]

    @property
    def available(self) -> Money:
        return self.total - self.reserved


async def store_balances(session: TenantSession, store_id: UUID) -> list[Balance]:
    """What a store has, by currency in alphabetical order; a store that never earned has none."""
    found = await session.scalars(
        select(LedgerAccount)
        .where(
            LedgerAccount.store_id == store_id,
            LedgerAccount.code.like("store:%:available:%"),
            LedgerAccount.custody.is_not(None),
        )
        .order_by(LedgerAccount.currency, LedgerAccount.code)
        .execution_options(populate_existing=True)
    )
    by_currency: dict[Currency, list[HoldingBalance]] = {}
    for account in found:
        by_currency.setdefault(account.currency, []).append(_of_account(account))
    return [_sum(currency, holdings) for currency, holdings in by_currency.items()]


def _of_account(account: LedgerAccount) -> HoldingBalance:
    return HoldingBalance(
        holding=account.code.rpartition(":")[2],
        custody=Custody(str(account.custody)),
        total=Money(account.posted_credits_minor - account.posted_debits_minor, account.currency),
        reserved=Money(account.pending_debits_minor, account.currency),
    )


def _sum(currency: Currency, holdings: Sequence[HoldingBalance]) -> Balance:
    nothing = Money(0, currency)
    return Balance(
        total=sum((holding.total for holding in holdings), nothing),
        reserved=sum((holding.reserved for holding in holdings), nothing),
        holdings=holdings,
    )
