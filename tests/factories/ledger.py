"""Ledger accounts with a balance."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.clock import utc_now
from core.currency import Currency
from core.ids import new_id
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.ledger.models import Entry, LedgerAccount
from tenant_db.ledger.posting import NewTransfer
from tenant_db.ledger.rules import Custody, NormalSide, TransferKind

NOW: Final = datetime(2026, 11, 21, 9, tzinfo=UTC)


async def make_account(
    tenant: Tenant,
    code: str,
    *,
    side: NormalSide = NormalSide.CREDIT,
    balance_minor: int = 0,
    reserved_minor: int = 0,
    floor_minor: int | None = None,
    ceiling_minor: int | None = None,
    currency: Currency = Currency.KES,
    is_closed: bool = False,
    custody: Custody | None = None,
    place: str | None = None,
) -> UUID:
    """An account that starts with a balance and a hold on it; no entries stand behind either."""
    credit = side is NormalSide.CREDIT
    account = LedgerAccount(
        id=new_id(),
        code=code,
        currency=currency,
        normal_side=side.value,
        floor_minor=floor_minor,
        ceiling_minor=ceiling_minor,
        posted_credits_minor=balance_minor if credit else 0,
        posted_debits_minor=0 if credit else balance_minor,
        pending_debits_minor=reserved_minor if credit else 0,
        pending_credits_minor=0 if credit else reserved_minor,
        closed_at=utc_now() if is_closed else None,
        custody=None if custody is None else custody.value,
        holding=place,
    )
    async with tenant.transaction() as session:
        session.add(account)
    return account.id


async def balance_of(tenant: Tenant, account_id: UUID) -> int:
    """Posted, on the account's normal side."""
    async with tenant.reading() as session:
        account = (
            await session.execute(select(LedgerAccount).where(LedgerAccount.id == account_id))
        ).scalar_one()
        net = account.posted_credits_minor - account.posted_debits_minor
        return net if account.normal_side == NormalSide.CREDIT else -net


async def pending_of(tenant: Tenant, account_id: UUID) -> tuple[int, int]:
    """What holds have set aside, as debits and as credits."""
    async with tenant.reading() as session:
        account = (
            await session.execute(select(LedgerAccount).where(LedgerAccount.id == account_id))
        ).scalar_one()
        return account.pending_debits_minor, account.pending_credits_minor


async def entries_of(tenant: Tenant, account_id: UUID) -> list[Entry]:
    """In the order of their sequence."""
    async with tenant.reading() as session:
        found = await session.scalars(
            select(Entry).where(Entry.account_id == account_id).order_by(Entry.sequence)
        )
        return list(found)


def sale(
    source_id: UUID,
    destination_id: UUID,
    amount_minor: int = 1_250,
    key: str = "sale:1",
    currency: Currency = Currency.KES,
) -> NewTransfer:
    """A command to post a sale."""
    return NewTransfer(
        source_id, destination_id, Money(amount_minor, currency), TransferKind.SALE, "pay_1", key
    )
