"""Checks the books of a store, or what all stores share, and writes down what does not agree."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text

from core.errors import NotFound
from core.ids import new_id
from tenancy.sessions import TenantSession
from tenant_db.ledger.models import LedgerAccount
from tenant_db.payments.machine import SUCCEEDED
from tenant_db.payments.models import Payment
from tenant_db.reconciliation.comparing import check_payments
from tenant_db.reconciliation.counting import check_accounts, counted_accounts
from tenant_db.reconciliation.models import Reconciliation
from tenant_db.reconciliation.recording import record
from tenant_db.reconciliation.rules import SHARED, AskedBy, Observed
from tenant_db.reconciliation.weighing import check_holdings, check_sums, scope_of
from tenant_db.stores.models import Store

STATEMENT_LIMIT_S: Final = 50
"""A pass over millions of entries takes longer than any other statement may."""


@dataclass(frozen=True, slots=True)
class NewReconciliation:
    """The command to check a store, or, without one, what all stores share."""

    store_id: UUID | None
    asked_by: AskedBy
    night: date | None = None

    @property
    def scope(self) -> str:
        return SHARED if self.store_id is None else f"store:{self.store_id}"


def plan(new: NewReconciliation, id: UUID | None = None) -> Reconciliation:
    """The row of a check that is still to be made."""
    return Reconciliation(
        id=id or new_id(),
        scope=new.scope,
        store_id=new.store_id,
        asked_by=new.asked_by.value,
        night=new.night,
    )


async def reconcile(session: TenantSession, wanted: Reconciliation, now: datetime) -> Reconciliation:
    """Check a planned scope, and bring its findings up to date, in the caller's transaction.

    Nothing that posts is held up. Each check is one statement and so sees one moment; what is posted
    between two of them can't be mistaken for a discrepancy. Checks of one scope wait for each other.

    Raises:
        NotFound: no such store.
    """
    store_id = wanted.store_id
    if store_id is not None and await session.get(Store, store_id) is None:
        raise NotFound("store")
    limit = func.set_config("statement_timeout", f"{STATEMENT_LIMIT_S}s", True)  # noqa: FBT003 - PostgreSQL's own
    await session.execute(select(limit))
    places = await _places(session, store_id)
    scopes = [wanted.scope, *map(scope_of, places)]
    await _take_turns(session, scopes)
    accounts = await counted_accounts(session, store_id)
    observed = await check_accounts(session, wanted.scope, store_id, accounts)
    observed += await check_holdings(session, places)
    if store_id is None:
        observed += await check_sums(session)
    else:
        observed += await check_payments(session, wanted.scope, store_id)
        wanted.payment_count = await _paid(session, store_id)
    wanted.account_count = len(accounts)
    wanted.entry_count = sum(account.entries_count for account in accounts)
    await _finish(session, wanted, scopes, observed, now)
    return wanted


async def _finish(
    session: TenantSession, wanted: Reconciliation, scopes: Sequence[str], observed: Observed, now: datetime
) -> None:
    wanted.is_cut_off = bool(observed.cut_off)
    wanted.finished_at = now
    session.add(wanted)
    await session.flush()
    wanted.finding_count = await record(session, wanted, scopes, observed, now)


async def _places(session: TenantSession, store_id: UUID | None) -> Collection[str]:
    """The holdings where the store has money; all there are, without a store."""
    rows = select(LedgerAccount.holding).where(LedgerAccount.holding.is_not(None)).distinct()
    if store_id is not None:
        rows = rows.where(LedgerAccount.store_id == store_id)
    return [place for place in await session.scalars(rows) if place is not None]


async def _take_turns(session: TenantSession, scopes: Sequence[str]) -> None:
    """Or an older look could bring back what a newer one has found to be gone."""
    turn = text(
        "SELECT pg_advisory_xact_lock(hashtextextended('reconcile:' || scope, 0))"
        " FROM unnest(CAST(:scopes AS text[])) AS scope"
    )
    await session.execute(turn, {"scopes": sorted(scopes)})


async def _paid(session: TenantSession, store_id: UUID) -> int:
    paid = select(func.count()).where(Payment.store_id == store_id, Payment.status == SUCCEEDED)
    return await session.scalar(paid) or 0
