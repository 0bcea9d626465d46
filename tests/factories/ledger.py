"""Ledger accounts with a balance."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, text

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
    id: UUID | None = None,
) -> UUID:
    """An account that starts with a balance and a hold on it; no entries stand behind either."""
    credit = side is NormalSide.CREDIT
    account = LedgerAccount(
        id=id or new_id(),
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


_UNSOUND: Final = {
    "counters are the sums of the entries": """
        SELECT account.code FROM ledger_accounts AS account
        LEFT JOIN ledger_entries AS entry ON entry.account_id = account.id
        GROUP BY account.id
        HAVING count(entry.sequence) <> account.entry_count
            OR coalesce(sum(entry.amount_minor) FILTER (WHERE entry.side = 'debit'), 0)
                <> account.posted_debits_minor
            OR coalesce(sum(entry.amount_minor) FILTER (WHERE entry.side = 'credit'), 0)
                <> account.posted_credits_minor""",
    "pending counters are the sums of the pending holds": """
        SELECT account.code FROM ledger_accounts AS account
        WHERE account.pending_debits_minor <> (
                SELECT coalesce(sum(amount_minor), 0) FROM ledger_holds
                WHERE source_id = account.id AND state = 'pending')
            OR account.pending_credits_minor <> (
                SELECT coalesce(sum(amount_minor), 0) FROM ledger_holds
                WHERE destination_id = account.id AND state = 'pending')""",
    "each entry starts where the last one ended, in the order of time": """
        SELECT account_id FROM (
            SELECT account_id, sequence, balance_before_minor, created_at,
                lag(sequence, 1, 0::bigint) OVER entries AS last_sequence,
                lag(balance_after_minor, 1, 0) OVER entries AS last_balance,
                lag(created_at, 1, created_at) OVER entries AS last_created_at
            FROM ledger_entries WINDOW entries AS (PARTITION BY account_id ORDER BY sequence)
        ) AS entry
        WHERE sequence <> last_sequence + 1 OR balance_before_minor <> last_balance
            OR created_at < last_created_at""",
    "each transfer has its two entries": """
        SELECT transfer.id FROM ledger_transfers AS transfer
        LEFT JOIN ledger_entries AS debit ON debit.account_id = transfer.source_id
            AND debit.sequence = transfer.source_sequence AND debit.side = 'debit'
            AND debit.transfer_id = transfer.id AND debit.amount_minor = transfer.amount_minor
        LEFT JOIN ledger_entries AS credit ON credit.account_id = transfer.destination_id
            AND credit.sequence = transfer.destination_sequence AND credit.side = 'credit'
            AND credit.transfer_id = transfer.id AND credit.amount_minor = transfer.amount_minor
        WHERE debit.transfer_id IS NULL OR credit.transfer_id IS NULL""",
    "debits are credits in each currency": """
        SELECT currency FROM ledger_accounts GROUP BY currency
        HAVING sum(posted_debits_minor) <> sum(posted_credits_minor)""",
    "what is available is above the floor": """
        SELECT code FROM ledger_accounts
        WHERE CASE normal_side
            WHEN 'debit' THEN posted_debits_minor - posted_credits_minor - pending_credits_minor
            ELSE posted_credits_minor - posted_debits_minor - pending_debits_minor END < floor_minor""",
}


async def require_sound_books(tenant: Tenant) -> None:
    """All that holds in any books whose accounts began at nothing, and without involuntary debits."""
    async with tenant.reading() as session:
        for fact, exceptions in _UNSOUND.items():
            assert (await session.execute(text(exceptions))).all() == [], fact
