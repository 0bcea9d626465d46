"""What the people of a business must look at, and what they do about it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.alerts import AlertKind, AlertState, Severity
from core.ids import Kind, outside
from core.pages import Page, PageRequest
from resolvers.missed import missed_rows
from resolvers.pages import page_of
from resolvers.reasons import required_reason
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.feed import RESYNC
from tenancy.roles import Scope
from tenant_db.alerts import handling
from tenant_db.alerts.models import Alert

RECENT_MAX: Final = 20
"""Open alerts that a stream begins with."""
_TIMES: Final = (Alert.last_at, Alert.acknowledged_at, Alert.resolved_at)
"""One of them moves with every change."""


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts a page is of; None is all."""

    state: AlertState | None = None
    kind: AlertKind | None = None
    severity: Severity | None = None


async def alerts(context: TenantContext, request: PageRequest, only: AlertFilter) -> Page[Alert]:
    """Needs payments:read."""
    context.require(Scope.PAYMENTS_READ)
    rows = select(Alert)
    wanted = {Alert.state: only.state, Alert.kind: only.kind, Alert.severity: only.severity}
    for column, value in wanted.items():
        if value is not None:
            rows = rows.where(column == value)
    async with context.tenant.reading() as session:
        return await page_of(session, rows, Alert, request)


async def alert(context: TenantContext, id: UUID) -> Alert | None:
    """Needs payments:read. None: this business has no such alert."""
    context.require(Scope.PAYMENTS_READ)
    async with context.tenant.reading() as session:
        return await session.get(Alert, id)


async def acknowledge_alert(context: TenantContext, id: UUID) -> Alert:
    """Take an alert on; again changes nothing. Needs payments:write.

    Raises:
        NotFound: no such alert.
        AlertResolved: it was dealt with before.
    """
    principal = context.require(Scope.PAYMENTS_WRITE)
    by = f"{principal.kind}:{principal.id}"
    async with context.tenant.transaction() as session:
        row = await handling.acknowledge_alert(session, id, by, context.services.clock())
        record_audit(session, acting(context), "acknowledge_alert", subject=outside(Kind.ALERT, id))
    return row


async def resolve_alert(context: TenantContext, id: UUID, reason: str) -> Alert:
    """Call an alert dealt with. Needs ledger:write.

    Raises:
        InvalidInput: no reason was given.
        NotFound: no such alert.
        AlertResolved: it was dealt with before.
    """
    principal = context.require(Scope.LEDGER_WRITE)
    said = required_reason(reason)
    by = f"{principal.kind}:{principal.id}"
    async with context.tenant.transaction() as session:
        row = await handling.resolve_alert(session, id, by, said, context.services.clock())
        record_audit(session, acting(context), "resolve_alert", subject=outside(Kind.ALERT, id), reason=said)
    return row


async def alert_updates(context: TenantContext) -> AsyncGenerator[Alert, None]:
    """The newest open alerts, then every alert that is raised, repeated or dealt with.

    Needs payments:read. A version may come twice: whoever shows them keeps the highest of each alert.

    Raises:
        FeedInterrupted: too much has changed while the feed was away.
    """
    context.require(Scope.PAYMENTS_READ)
    async with context.services.feed.subscribe(context.tenant.id, {"alerts"}) as notices:
        for row in await _recent(context):
            yield row
        async for notice in notices:
            if notice.topic == RESYNC.topic and notices.missed_since is not None:
                for row in await missed_rows(context, Alert, _TIMES, notices.missed_since):
                    yield row
                continue
            changed = await alert(context, UUID(notice.payload["id"]))
            if changed is not None:
                yield changed


async def _recent(context: TenantContext) -> list[Alert]:
    """Oldest first, as they would have come."""
    page = await alerts(context, PageRequest(RECENT_MAX), AlertFilter(AlertState.OPEN))
    return list(reversed(page.rows))
