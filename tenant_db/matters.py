"""What is still open in a tenant, so that it can't be closed: asked before its end, and before the drop."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import NullPool, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from core.money import Money
from tenant_db.inbox.models import TenantInbox
from tenant_db.ledger.models import Hold, LedgerAccount
from tenant_db.ledger.rules import Custody
from tenant_db.payments.machine import ENDED
from tenant_db.payments.models import Payment


class MatterKind(StrEnum):
    """What sort of thing is open."""

    PAYMENT = "payment"
    HOLD = "hold"
    MESSAGE = "message"
    BALANCE = "balance"
    """Money that the platform holds for the tenant, or that is in suspense."""
    OWN_BALANCE = "own_balance"
    """Money in the tenant's own short codes and accounts, which the books still show as theirs."""


@dataclass(frozen=True, slots=True)
class OpenMatter:
    """One thing that keeps a tenant from being closed."""

    kind: MatterKind
    text: str
    """In words, such as `2 payments are open`."""


async def open_matters(url: str) -> Sequence[OpenMatter]:
    """Everything that is open in the database at `url`, which any role that may read it can ask."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return [*await _counted(connection), *await _balances(connection)]
    finally:
        await engine.dispose()


async def _counted(connection: AsyncConnection) -> Sequence[OpenMatter]:
    counts = (
        (MatterKind.PAYMENT, "payment", "open", select(func.count()).where(Payment.status.not_in(ENDED))),
        (MatterKind.HOLD, "hold", "pending", select(func.count()).where(Hold.state == "pending")),
        (
            MatterKind.MESSAGE,
            "message of a provider",
            "unread",
            select(func.count()).where(TenantInbox.state == "received"),
        ),
    )
    found = [(kind, noun, state, await connection.scalar(count) or 0) for kind, noun, state, count in counts]
    return [OpenMatter(kind, _in_words(count, noun, state)) for kind, noun, state, count in found if count]


def _in_words(count: int, noun: str, state: str) -> str:
    if count == 1:
        return f"1 {noun} is {state}"
    first, _, rest = noun.partition(" ")
    return f"{count} {first}s {rest} are {state}".replace("  ", " ")


async def _balances(connection: AsyncConnection) -> Sequence[OpenMatter]:
    balance = func.sum(LedgerAccount.posted_credits_minor - LedgerAccount.posted_debits_minor)
    is_own = LedgerAccount.custody.is_not_distinct_from(Custody.TENANT.value)
    rows = await connection.execute(
        select(LedgerAccount.currency, is_own.label("is_own"), balance.label("balance_minor"))
        .where(LedgerAccount.code.like("store:%:available:%") | LedgerAccount.code.like("suspense:%"))
        .group_by(LedgerAccount.currency, is_own, LedgerAccount.code)
        .having(balance != 0)
        .order_by(LedgerAccount.code)
    )
    return [_balance(Money(int(row.balance_minor), row.currency), row.is_own) for row in rows]


def _balance(amount: Money, is_own: object) -> OpenMatter:
    if is_own:
        return OpenMatter(MatterKind.OWN_BALANCE, f"the books show {amount} in the tenant's own short codes")
    return OpenMatter(MatterKind.BALANCE, f"a balance of {amount} is open")
