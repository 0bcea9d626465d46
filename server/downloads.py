"""`/exports/…`: a file, for whoever has a fresh link to it and could still ask for one."""

from collections.abc import AsyncIterator
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from core.errors import NotFound
from core.ids import Kind, outside
from owner_db.users.principals import OwnerPrincipals
from server.callers import request_info
from tenancy.addresses import counted
from tenancy.audit import Actor, record_audit
from tenancy.context import Principal, Services
from tenancy.errors import LinkExpired, NotSignedIn, RateLimited, TenantNotServed, TenantUnknown
from tenancy.links import Link, read_link
from tenancy.roles import Scope
from tenancy.sessions import Tenant
from tenant_db.exports.errors import ExportNotReady
from tenant_db.exports.fetching import parts, ready_export
from tenant_db.exports.models import Export
from tenant_db.exports.rules import MEDIA_TYPES, ExportFormat

UNKNOWN_PER_MINUTE_MAX: Final = 30
"""Links that lead nowhere, for one address."""
NOT_THERE: Final = "There is no such file. Ask for a new link.\n"
GONE: Final = "This link or its file has expired. Ask for a new one.\n"
AWAY: Final = "This business can't be reached now. Try again in some seconds.\n"
RETRY_AFTER_S: Final = 5

log = structlog.get_logger()


class Downloads:
    """The endpoint that links to exports lead to."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._principals = OwnerPrincipals(services.owner, services.clock)

    def routes(self) -> list[Route]:
        return [Route("/exports/{link}", self.fetch, methods=["GET"])]

    async def fetch(self, request: Request) -> Response:
        """The file; 404 where nothing says that there is one, 410 where its time or the link's is over."""
        if request.method != "GET":
            # Only who takes the file is written down.
            return Response(status_code=405, headers={"Allow": "GET"})
        try:
            link = await read_link(self._services.tokens, request.path_params["link"], self._services.clock)
            principal = await self._principals.of_link(link)
        except LinkExpired:
            return PlainTextResponse(GONE, 410)
        except NotSignedIn:
            return await self._unknown(request)
        if Scope.LEDGER_READ not in principal.scopes:
            return await self._unknown(request)
        return await self._found(request, link, principal)

    async def _found(self, request: Request, link: Link, principal: Principal) -> Response:
        try:
            tenant = await self._services.tenants.find(link.tenant_id)
            export = await self._taken(tenant, link, principal, request)
        except (TenantUnknown, NotFound):
            return await self._unknown(request)
        except ExportNotReady:
            return PlainTextResponse(GONE, 410)
        except TenantNotServed:
            return PlainTextResponse(AWAY, 503, headers={"Retry-After": str(RETRY_AFTER_S)})
        return StreamingResponse(
            _content(tenant, export),
            media_type=MEDIA_TYPES[ExportFormat(export.format)],
            headers={
                "Content-Disposition": f'attachment; filename="{export.file_name}"',
                "Content-Length": str(export.size_bytes),
                "Cache-Control": "no-store",
            },
        )

    async def _taken(self, tenant: Tenant, link: Link, principal: Principal, request: Request) -> Export:
        """The export that is handed out, which is written down first."""
        info = request_info(request)
        actor = Actor(principal.kind, principal.id, info.ip, info.user_agent, info.id)
        async with tenant.transaction() as session:
            export = await ready_export(session, link.export_id, self._services.clock())
            record_audit(session, actor, "download_export", subject=outside(Kind.EXPORT, export.id))
        return export

    async def _unknown(self, request: Request) -> Response:
        try:
            await self._services.limits.hit(
                "exports_unknown",
                counted(request_info(request).ip),
                limit=UNKNOWN_PER_MINUTE_MAX,
                per_s=60,
            )
        except RateLimited as refusal:
            return PlainTextResponse(
                refusal.message, 429, headers={"Retry-After": str(refusal.retry_after_s)}
            )
        return PlainTextResponse(NOT_THERE, 404)


async def _content(tenant: Tenant, export: Export) -> AsyncIterator[bytes]:
    """What is cut off shows by the length that was announced."""
    try:
        async for part in parts(tenant, export):
            yield part
    except (ExportNotReady, TenantNotServed) as refusal:
        log.warning("download_cut_off", export=str(export.id), code=refusal.code)
        raise
