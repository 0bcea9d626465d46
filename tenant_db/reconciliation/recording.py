"""Brings the findings of some scopes up to date with what a check saw."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from core.alerts import AlertKind
from core.ids import Kind, new_id, outside
from tenancy.metrics import FINDINGS
from tenancy.sessions import TenantSession
from tenant_db.alerts.raising import raise_alert
from tenant_db.reconciliation.models import Finding, Reconciliation
from tenant_db.reconciliation.rules import Discrepancy, FindingState, Observed

log = structlog.get_logger()

OPEN: Final = FindingState.OPEN.value
RESOLVED: Final = FindingState.RESOLVED.value
VANISHED: Final = FindingState.VANISHED.value


async def record(
    session: TenantSession,
    seen_by: Reconciliation,
    scopes: Collection[str],
    observed: Observed,
    now: datetime,
) -> int:
    """Write new findings, renew known ones, mark what is gone; gives how many are open now.

    The caller holds the turn of every scope. What people have resolved stays resolved. Of a kind that
    was cut off nothing is marked as gone, for it may only not have been looked at.
    """
    by_fingerprint = {each.fingerprint: each for each in observed.discrepancies}
    if by_fingerprint:
        await _renew(session, seen_by, by_fingerprint, now)
    await session.execute(
        update(Finding)
        .where(
            Finding.scope.in_(scopes),
            Finding.state == OPEN,
            Finding.fingerprint.not_in(by_fingerprint),
            Finding.kind.not_in(observed.cut_off),
        )
        .values(state=VANISHED, vanished_at=now)
        .execution_options(synchronize_session=False)
    )
    opened = select(func.count()).where(Finding.scope.in_(scopes), Finding.state == OPEN)
    return await session.scalar(opened) or 0


async def _renew(
    session: TenantSession, seen_by: Reconciliation, seen: dict[str, Discrepancy], now: datetime
) -> None:
    known = select(Finding.fingerprint).where(Finding.fingerprint.in_(seen), Finding.state != VANISHED)
    old = set(await session.scalars(known))
    new = insert(Finding).values([_values(each, seen_by, now) for each in seen.values()])
    is_gone = Finding.state == VANISHED
    await session.execute(
        new.on_conflict_do_update(
            index_elements=["fingerprint"],
            set_={
                "reconciliation_id": seen_by.id,
                "seen_at": now,
                "expected_minor": new.excluded.expected_minor,
                "found_minor": new.excluded.found_minor,
                "state": case((is_gone, OPEN), else_=Finding.state),
                "vanished_at": None,
            },
        )
    )
    await _tell(session, [each for fingerprint, each in seen.items() if fingerprint not in old])


async def _tell(session: TenantSession, new: Sequence[Discrepancy]) -> None:
    """One alert for each kind, however many there are of it."""
    for kind, count in Counter(each.kind for each in new).items():
        first = next(each for each in new if each.kind is kind)
        FINDINGS.labels(kind.value).inc(count)
        log.error(
            "books_disagree",
            alert=True,
            tenant=str(session.tenant_id),
            finding=kind.value,
            count=count,
            scope=first.scope,
            subject=first.subject,
        )
        message = f"A check of the books found {count} of a kind, first of {first.subject}: {first.cause}"
        details = {"finding": kind.value, "count": count, "scope": first.scope}
        await raise_alert(session, AlertKind.BOOKS_DISAGREE, kind.value, message, details=details)


def _values(each: Discrepancy, seen_by: Reconciliation, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "created_at": now,
        "fingerprint": each.fingerprint,
        "scope": each.scope,
        "reconciliation_id": seen_by.id,
        "seen_at": now,
        "kind": each.kind.value,
        "store_id": seen_by.store_id if each.scope == seen_by.scope else None,
        "subject": each.subject,
        "account_ids": [outside(Kind.LEDGER_ACCOUNT, id_) for id_ in each.account_ids],
        "transfer_id": each.transfer_id,
        "payment_id": each.payment_id,
        "currency": each.currency,
        "expected_minor": each.expected_minor,
        "found_minor": each.found_minor,
        "cause": each.cause,
        "state": OPEN,
    }
