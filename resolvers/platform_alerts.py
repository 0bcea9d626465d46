"""What the platform's staff must look at: its own troubles, and those of every business."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from core.alerts import AlertKind, AlertState, Severity
from core.errors import NotFound
from core.ids import Kind, outside
from core.pages import Page, PageRequest
from owner_db.alerts.copying import keep_copy
from owner_db.alerts.handling import acknowledge, lock_alert, resolve
from owner_db.alerts.models import PlatformAlert
from resolvers.pages import page_of
from resolvers.reasons import required_reason
from tenancy.audit import acting, record_audit
from tenancy.context import OwnerContext
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.alerts import handling
from tenant_db.alerts.copies import columns_of
from tenant_db.alerts.models import Alert


@dataclass(frozen=True, slots=True)
class PlatformAlertFilter:
    """Which alerts a page is of; None is all."""

    tenant_id: UUID | None = None
    state: AlertState | None = None
    kind: AlertKind | None = None
    severity: Severity | None = None


async def alerts(
    context: OwnerContext, request: PageRequest, only: PlatformAlertFilter
) -> Page[PlatformAlert]:
    """Needs platform:read."""
    context.require(Scope.PLATFORM_READ)
    rows = select(PlatformAlert)
    wanted = {
        PlatformAlert.tenant_id: only.tenant_id,
        PlatformAlert.state: only.state,
        PlatformAlert.kind: only.kind,
        PlatformAlert.severity: only.severity,
    }
    for column, value in wanted.items():
        if value is not None:
            rows = rows.where(column == value)
    async with context.owner.reading() as session:
        return await page_of(session, rows, PlatformAlert, request)


async def acknowledge_alert(context: OwnerContext, id: UUID, reason: str) -> PlatformAlert:
    """Take an alert on, of the platform or of a business. Needs platform:write.

    It stands in the platform's audit log, and in the business's own where it is the business's.

    Raises:
        InvalidInput: no reason was given.
        NotFound: no such alert.
        PlatformAlertResolved, AlertResolved: it was dealt with before.
        TenantNotServed: the business can't be reached.
    """
    said, now = required_reason(reason), context.services.clock()

    async def theirs(session: TenantSession, source_id: UUID, by: str) -> Alert:
        return await handling.acknowledge_alert(session, source_id, by, now)

    def ours(row: PlatformAlert, by: str) -> None:
        acknowledge(row, by, now)

    return await _act(context, id, said, _Act("acknowledge_alert", theirs, ours))


async def resolve_alert(context: OwnerContext, id: UUID, reason: str) -> PlatformAlert:
    """Call an alert dealt with, of the platform or of a business. Needs platform:write.

    Raises:
        As `acknowledge_alert`.
    """
    said, now = required_reason(reason), context.services.clock()

    async def theirs(session: TenantSession, source_id: UUID, by: str) -> Alert:
        return await handling.resolve_alert(session, source_id, by, said, now)

    def ours(row: PlatformAlert, by: str) -> None:
        resolve(row, by, said, now)

    return await _act(context, id, said, _Act("resolve_alert", theirs, ours))


@dataclass(frozen=True, slots=True)
class _Act:
    name: str
    theirs: Callable[[TenantSession, UUID, str], Awaitable[Alert]]
    """On the business's alert, whose copy follows."""
    ours: Callable[[PlatformAlert, str], None]


async def _act(context: OwnerContext, id: UUID, reason: str, act: _Act) -> PlatformAlert:
    principal = context.require(Scope.PLATFORM_WRITE)
    by = f"{principal.kind}:{principal.id}"
    async with context.owner.reading() as session:
        found = await session.get(PlatformAlert, id)
    if found is None:
        raise NotFound("alert")
    shown = None
    if found.tenant_id is not None and found.source_id is not None:
        tenant = await context.services.tenants.settling(found.tenant_id)
        async with tenant.transaction() as theirs:
            row = await act.theirs(theirs, found.source_id, by)
            subject = outside(Kind.ALERT, found.source_id)
            record_audit(theirs, acting(context), act.name, subject=subject, reason=reason)
        shown = columns_of(row)
    async with context.owner.transaction() as session:
        if shown is not None and found.tenant_id is not None and found.source_id is not None:
            await keep_copy(session, found.tenant_id, found.source_id, shown)
        copy = await lock_alert(session, id)
        if shown is None:
            act.ours(copy, by)
        subject = outside(Kind.ALERT, id)
        record_audit(session, acting(context), act.name, subject=subject, reason=reason)
    return copy
