"""From a connection to the context of its operations: who calls, for which tenant."""

from ipaddress import ip_address
from typing import Final

from starlette.requests import HTTPConnection

from core.errors import InvalidInput
from core.ids import Kind, inside, outside
from schema.budgets import UNPROVEN
from server.payers import Payers
from server.settings import Settings
from tenancy.audit import Actor, record_audit
from tenancy.checkout_tokens import BEARER_PREFIX
from tenancy.context import OwnerContext, Principal, RequestInfo, Services, TenantContext
from tenancy.errors import Forbidden, NotSignedIn, TenantNotServed, WrongTenant
from tenancy.metrics import CROSS_TENANT_ATTEMPTS
from tenancy.tokens import Authenticator

TENANT_HEADER: Final = "x-tenant-id"
AGENT_LENGTH_MAX: Final = 200
GUESS_COST: Final = 20
"""Of a token or key that proves nothing, so that nobody can try many."""


class Callers:
    """Makes the contexts of both schemas."""

    def __init__(self, services: Services, authenticator: Authenticator, settings: Settings) -> None:
        self._services = services
        self._authenticator = authenticator
        self._settings = settings
        self._payers = Payers(services)

    async def tenant_context(self, connection: HTTPConnection, authorization: str | None) -> TenantContext:
        """Who calls the tenant schema; without a token, nobody.

        Raises:
            NotSignedIn: the token or key proves nothing.
            WrongTenant: header or subdomain names another tenant than the token; audited and counted.
        RateLimited: too many of either from this network address.
        """
        request = request_info(connection)
        bearer = bearer_of(authorization)
        if bearer is None:
            return TenantContext(self._services, request)
        if bearer.startswith(BEARER_PREFIX):
            context = await self.payer_context(bearer.removeprefix(BEARER_PREFIX), request)
            await self._require_same_tenant(connection, context, context.paying()[1])
            return context
        principal = await self._proven(bearer, "tenant", request)
        context = TenantContext(self._services, request, principal)
        if principal.tenant_id is not None:
            try:
                context.bound_tenant = await self._services.tenants.find(principal.tenant_id)
            except TenantNotServed as refusal:
                context.not_served = refusal
        await self._require_same_tenant(connection, context, principal)
        return context

    async def payer_context(self, token: str, request: RequestInfo) -> TenantContext:
        """Whoever holds a link to pay an order; a token that proves nothing is charged to its address.

        Raises:
            NotSignedIn: the token proves nothing.
            TenantNotServed: the business of a proven one can't be reached now.
            RateLimited: too many guesses.
        """
        try:
            principal, tenant = await self._payers.proven(token)
        except NotSignedIn:
            await self._charge_guess(request)
            raise
        return TenantContext(self._services, request, principal, tenant)

    async def owner_context(self, connection: HTTPConnection, authorization: str | None) -> OwnerContext:
        """Who calls the owner schema; without a token, nobody.

        Raises:
            Forbidden: the network address is not on the allow-list.
            NotSignedIn: the token proves nothing, or is not of the platform's staff.
        """
        request = request_info(connection)
        if not self._is_allowed(request.ip):
            raise Forbidden("owner network")
        bearer = bearer_of(authorization)
        if bearer is None:
            return OwnerContext(self._services, request)
        return OwnerContext(self._services, request, await self._proven(bearer, "owner", request))

    async def _proven(self, bearer: str, audience: str, request: RequestInfo) -> Principal:
        """Who `bearer` speaks for; one that proves nothing is charged to its address."""
        try:
            return await self._authenticator.principal(bearer, audience)
        except NotSignedIn:
            await self._charge_guess(request)
            raise

    async def _charge_guess(self, request: RequestInfo) -> None:
        """Raises RateLimited."""
        await self._services.limits.charge(
            None, f"guess:{request.network}", GUESS_COST, UNPROVEN.capacity, UNPROVEN.restore_per_s
        )

    def _is_allowed(self, ip: str) -> bool:
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        return any(address in network for network in self._settings.owner_networks)

    async def _require_same_tenant(
        self, connection: HTTPConnection, context: TenantContext, principal: Principal
    ) -> None:
        named = connection.headers.get(TENANT_HEADER)
        if named is not None and not _names(named, principal):
            await self._refuse(context, principal, "header", named)
        label = _subdomain(connection, self._settings.tenant_domain)
        if label is not None:
            slug = None if context.bound_tenant is None else context.bound_tenant.ref.slug
            if label != slug:
                await self._refuse(context, principal, "subdomain", label)

    async def _refuse(self, context: TenantContext, principal: Principal, through: str, named: str) -> None:
        CROSS_TENANT_ATTEMPTS.labels(through).inc()
        # Rows of the audit log stay for ever: nobody may add them as fast as they can ask.
        await self._charge_guess(context.request)
        request = context.request
        actor = Actor(principal.kind, principal.id, request.ip, request.user_agent, request.id)
        subject = None if principal.tenant_id is None else outside(Kind.TENANT, principal.tenant_id)
        async with self._services.owner.transaction() as session:
            record_audit(
                session,
                actor,
                "name_wrong_tenant",
                subject=subject,
                details={"through": through, "named": named[:AGENT_LENGTH_MAX]},
            )
        raise WrongTenant


def bearer_of(authorization: str | None) -> str | None:
    """The credential of an `Authorization: Bearer …`; None where there is none.

    Raises:
        NotSignedIn: another scheme was used.
    """
    if not authorization:
        return None
    scheme, _, credential = authorization.partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise NotSignedIn("Send the token as `Authorization: Bearer …`.")
    return credential.strip()


def request_info(connection: HTTPConnection) -> RequestInfo:
    """Where a connection comes from, as the middleware found out."""
    state = connection.scope.get("state", {})
    client = connection.client
    return RequestInfo(
        id=str(state.get("request_id", "")),
        ip=str(state.get("client_ip") or (client.host if client else "")),
        user_agent=connection.headers.get("user-agent", "")[:AGENT_LENGTH_MAX],
    )


def _names(text: str, principal: Principal) -> bool:
    try:
        return inside(Kind.TENANT, text) == principal.tenant_id
    except InvalidInput:
        return False


def _subdomain(connection: HTTPConnection, domain: str | None) -> str | None:
    """The label before the tenant domain; None where the host is another."""
    if domain is None:
        return None
    host = (connection.url.hostname or "").lower()
    if not host.endswith(f".{domain.lower()}"):
        return None
    return host.removesuffix(f".{domain.lower()}")
