"""How a store stands: its balances, its last check, its open findings, and what the flags need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, text

from core.currency import Currency
from core.errors import NotFound
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.reconciliation.flagging import Facts, PlaceBalance, Raised, raised
from tenant_db.reconciliation.models import Finding, Reconciliation
from tenant_db.reconciliation.rules import FindingState
from tenant_db.reconciliation.weighing import scope_of
from tenant_db.stores.models import Store

FINDINGS_SHOWN_MAX: Final = 20

_BALANCES: Final = text("""
SELECT account.holding, account.custody, account.currency,
    account.posted_credits_minor - account.posted_debits_minor AS total,
    account.pending_debits_minor AS reserved,
    coalesce((SELECT sum(posted_credits_minor - posted_debits_minor) FROM ledger_accounts AS waiting
        WHERE waiting.code = 'suspense:' || account.holding AND waiting.currency = account.currency), 0)
        AS suspense
FROM ledger_accounts AS account
WHERE account.store_id = :store_id AND account.code LIKE 'store:%:available:%'
ORDER BY account.currency, account.holding
""")

_OVERDUE: Final = text("""
SELECT count(*) FROM ledger_holds AS hold
WHERE hold.state = 'pending' AND hold.expires_at < :now
    AND EXISTS (SELECT FROM ledger_accounts AS account
        WHERE account.store_id = :store_id AND account.id IN (hold.source_id, hold.destination_id))
""")

# A block ends before its `to_transaction_id`; what came later is not sealed yet.
_UNSEALED: Final = text("""
SELECT min(created_at) FROM ledger_transfers
WHERE transaction_id >= coalesce((SELECT to_transaction_id FROM ledger_blocks
    ORDER BY height DESC LIMIT 1), 0)
""")

_BROKEN: Final = text("""
SELECT state = 'broken' FROM ledger_verifications
WHERE finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """A store as the platform's staff sees it."""

    store: Store
    balances: Sequence[PlaceBalance]
    last: Reconciliation | None
    open_findings: int
    findings: Sequence[Finding]
    """The first of the open ones."""
    flags: Sequence[Raised]


async def store_standing(session: TenantSession, store_id: UUID, now: datetime) -> Standing:
    """Read it all in a few short statements. Raises NotFound: no such store."""
    store = await session.get(Store, store_id)
    if store is None:
        raise NotFound("store")
    rows = await session.execute(_BALANCES, {"store_id": store_id})
    balances = [_balance(row) for row in rows]
    last = await session.scalar(
        select(Reconciliation)
        .where(Reconciliation.scope == f"store:{store_id}", Reconciliation.finished_at.is_not(None))
        .order_by(Reconciliation.finished_at.desc())
        .limit(1)
    )
    concerns = _concerns(store_id, balances)
    count = await session.scalar(select(func.count()).select_from(Finding).where(*concerns)) or 0
    shown = select(Finding).where(*concerns).order_by(Finding.created_at, Finding.id)
    findings = (await session.scalars(shown.limit(FINDINGS_SHOWN_MAX))).all()
    facts = Facts(
        balances=balances,
        open_findings=count,
        overdue_holds=await session.scalar(_OVERDUE, {"store_id": store_id, "now": now}) or 0,
        reconciled_at=None if last is None else last.finished_at,
        unsealed_since=await session.scalar(_UNSEALED),
        is_proof_broken=bool(await session.scalar(_BROKEN)),
    )
    return Standing(store, balances, last, count, findings, raised(facts, now))


def _concerns(store_id: UUID, balances: Sequence[PlaceBalance]) -> list[ColumnElement[bool]]:
    """Open findings of the store itself and of the places where its money is."""
    places = {scope_of(each.holding) for each in balances}
    return [
        Finding.state == FindingState.OPEN,
        or_(Finding.store_id == store_id, Finding.scope.in_(places)),
    ]


def _balance(row: Any) -> PlaceBalance:  # noqa: ANN401 - a row of _BALANCES
    currency = Currency(row.currency)
    total, reserved, suspense = (Money(int(each), currency) for each in row[3:6])
    return PlaceBalance(row.holding, row.custody, total, reserved, suspense)
