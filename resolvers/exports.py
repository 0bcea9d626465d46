"""Files of the books: ordered here, made by a job, fetched by a signed link."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.errors import NotFound
from core.ids import Kind, outside
from core.pages import Page, PageRequest
from resolvers.account_statements import WantedPeriod, resolved
from resolvers.idempotency import once, run_once
from resolvers.pages import page_of
from tenancy.acts import Act, Job, record_act
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.feed import RESYNC
from tenancy.links import Link, write_link
from tenancy.outbox import announce
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.exports.fetching import ready_export
from tenant_db.exports.models import Export
from tenant_db.exports.requesting import NewExport
from tenant_db.exports.requesting import request_export as request
from tenant_db.exports.rules import STUCK_AFTER, ExportFormat, ExportKind
from tenant_db.exports.sources import Subject

QUEUE: Final = "platform"


@dataclass(frozen=True, slots=True)
class WantedExport:
    """What a caller asks for."""

    kind: ExportKind
    format: ExportFormat
    subject: Subject
    period: WantedPeriod


async def request_export(context: TenantContext, wanted: WantedExport, key: str) -> Export:
    """Order a file. Needs ledger:read. The same key gives the same order.

    Raises:
        NotFound: there is no such account or store.
        TooManyExports, ExportTooLarge: as `requesting`.
        What `run_once` raises.
    """
    principal = context.require(Scope.LEDGER_READ)
    tenant, actor, now = context.tenant, acting(context), context.services.clock()
    async with tenant.reading() as session:
        period = await resolved(session, wanted.subject, wanted.period)
    new = NewExport(wanted.kind, wanted.format, wanted.subject, period, f"{principal.kind}:{principal.id}")

    async def effect(session: TenantSession) -> Export:
        export = await request(session, new, now)
        ids = {"export_id": str(export.id)}
        await record_act(
            session,
            Act(actor, "request_export", outside(Kind.EXPORT, export.id)),
            Job("make_export", QUEUE, ids),
        )
        announce(session, "expire_export", queue=QUEUE, after_s=STUCK_AFTER.total_seconds(), **ids)
        return export

    async def reload(session: TenantSession, ids: Mapping[str, UUID]) -> Export:
        return await session.get_one(Export, ids["export"])

    asked = once(context, "request_export", key, input=_input(wanted), ids={"export": new.id})
    return await run_once(tenant.transaction, asked, effect, reload)


async def exports(context: TenantContext, request: PageRequest) -> Page[Export]:
    """Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await page_of(session, select(Export), Export, request)


async def export(context: TenantContext, id: UUID) -> Export | None:
    """Needs ledger:read. None: this business has no such export."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await session.get(Export, id)


async def link_export(context: TenantContext, id: UUID) -> tuple[str, datetime]:
    """Write a link to a file that is ready, and write down that it was; gives when it expires.

    Needs ledger:read. The link works for the caller's session or key alone, as long as that lasts.

    Raises:
        NotFound: this business has no such export.
        ExportNotReady: there is no file to fetch.
    """
    principal = context.require(Scope.LEDGER_READ)
    services, tenant = context.services, context.tenant
    async with tenant.transaction() as session:
        found = await ready_export(session, id, services.clock())
        record_audit(session, acting(context), "link_export", subject=outside(Kind.EXPORT, found.id))
    link = Link.to(id, tenant.id, principal, services.clock())
    url = f"{services.policy.public_url}/exports/{await write_link(services.tokens, link)}"
    return url, link.expires_at


async def export_updates(context: TenantContext, id: UUID) -> AsyncGenerator[Export, None]:
    """One export now and after each change; steps in quick succession may come as one.

    Needs ledger:read.

    Raises:
        NotFound: this business has no such export.
    """
    context.require(Scope.LEDGER_READ)
    # Subscribed before it is read: what changes in between is told, not lost.
    async with context.services.feed.subscribe(context.tenant.id, {f"export:{id}"}) as notices:
        shown = await export(context, id)
        if shown is None:
            raise NotFound("export")
        yield shown
        async for notice in notices:
            if notice.topic != RESYNC.topic and notice.payload["version"] <= shown.version:
                continue
            newer = await export(context, id)
            if newer is not None and newer.version > shown.version:
                shown = newer
                yield shown


def _input(wanted: WantedExport) -> dict[str, object]:
    """All that decides what the file tells."""
    period, subject = wanted.period, wanted.subject
    return {
        "kind": wanted.kind.value,
        "format": wanted.format.value,
        "account": subject.account_id,
        "store": subject.store_id,
        "since": period.since,
        "before": period.before,
        "first_day": period.first_day,
        "last_day": period.last_day,
    }
