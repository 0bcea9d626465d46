"""The server as one ASGI application: both schemas, hooks, downloads, probes, metrics and keys."""

from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from integrations.mpesa.events import SOURCE_ADDRESSES
from owner_db.documents.models import PersistedDocument
from schema.budgets import Charging, tiers_of
from schema.documents import Accepted, Introspection
from schema.operations import Serving
from schema.owner import owner_schema
from schema.tenant import tenant_schema
from server.callers import Callers, request_info
from server.compose import Process
from server.downloads import Downloads
from server.health import alive, readiness
from server.hooks import Hooks
from server.middleware import Edge, protected
from server.observing import Observed, report_to
from server.pay import PayPages
from server.pay_documents import TRUSTED
from server.settings import Network, Settings
from server.view import GraphQLView, ViewOptions
from tenancy.sessions import OwnerDatabase

WEIGHTS: Final = {
    # argon2 takes some 50 ms of a core, and a registration makes a database.
    "Mutation.signIn": 100,
    "Mutation.registerBusiness": 200,
    "Mutation.createBusiness": 200,
    "Mutation.resetPassword": 100,
    "Mutation.acceptInvitation": 100,
    # These read every transfer of their period: a tenth of a second for 100,000.
    "Query.financialReport": 200,
    "Query.storeFinancialSummary": 50,
    "TransferConnection.summary": 100,
}


def create_app(process: Process) -> ASGIApp:
    """Build the application on a process that is already connected."""
    settings = process.settings
    callers = Callers(process.services, process.authenticator, settings)
    edge = edge_of(settings)
    charging = Charging(tiers_of(process.services.owner))
    options = ViewOptions(
        ide="graphiql" if settings.environment == "development" else None,
        is_origin_allowed=edge.is_origin_allowed,
    )
    tenant = GraphQLView(
        tenant_schema(), _serving(process, charging, "tenant"), callers.tenant_context, options
    )
    owner = GraphQLView(owner_schema(), _serving(process, charging, "owner"), callers.owner_context, options)
    hooks = Hooks(process.services, hook_networks(settings))
    application = Starlette(
        routes=[
            Route("/graphql", tenant),
            WebSocketRoute("/graphql", tenant),
            Route("/owner/graphql", owner),
            WebSocketRoute("/owner/graphql", owner),
            *hooks.routes(),
            *Downloads(process.services).routes(),
            *PayPages(process.services, tenant.operations).routes(),
            Route("/healthz", alive),
            Route("/readyz", _ready(process)),
            Route("/metrics", _metrics(settings)),
            Route("/.well-known/jwks.json", _jwks(process)),
        ]
    )
    return protected(Observed(application), edge)


def edge_of(settings: Settings) -> Edge:
    """How the settings want the server to meet the network."""
    return Edge(
        allowed_origins=settings.allowed_origins,
        tenant_domain=settings.tenant_domain,
        trusted_proxies=settings.trusted_proxies,
        body_bytes_max=settings.body_bytes_max,
        transport="tls" if settings.base_url.startswith("https://") else "plain",
    )


def hook_networks(settings: Settings) -> Sequence[Network]:
    """From where providers may call; none is anywhere."""
    if settings.hook_networks is not None:
        return settings.hook_networks
    if settings.environment == "production":
        return [ip_network(address) for address in SOURCE_ADDRESSES]
    return []


def _serving(process: Process, charging: Charging, audience: str) -> Serving[Any]:
    settings = process.settings
    is_development = settings.environment == "development"
    return Serving(
        charge=charging.charge,
        connections_max=charging.connections_max,
        introspection=Introspection.ALLOWED if is_development else Introspection.REFUSED,
        accepted=Accepted(settings.documents),
        find_document=partial(_persisted, process.services.owner, audience),
        query_timeout_s=settings.operation_timeout_s,
        weights=WEIGHTS,
        report=report_to(audience),
    )


async def _persisted(owner: OwnerDatabase, audience: str, sha256: str) -> str | None:
    if audience == "tenant" and sha256 in TRUSTED:
        return TRUSTED[sha256]
    async with owner.reading() as session:
        return await session.scalar(
            select(PersistedDocument.text).where(
                PersistedDocument.sha256 == sha256, PersistedDocument.audience == audience
            )
        )


Endpoint = Callable[[Request], object]


def _ready(process: Process) -> Endpoint:
    async def ready(_request: Request) -> Response:
        found = await readiness(process)
        is_ready = all(state == "ok" for state in found.values())
        return JSONResponse(found, status_code=200 if is_ready else 503)

    return ready


def _metrics(settings: Settings) -> Endpoint:
    async def metrics(request: Request) -> Response:
        address = ip_address(request_info(request).ip or "0.0.0.0")  # noqa: S104 - no address is in no network
        if not any(address in network for network in settings.metrics_networks):
            return Response(status_code=404)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return metrics


def _jwks(process: Process) -> Endpoint:
    async def jwks(_request: Request) -> Response:
        return JSONResponse(
            await process.services.tokens.jwks(), headers={"Cache-Control": "public, max-age=60"}
        )

    return jwks
