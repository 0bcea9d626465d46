"""Who calls, from where, and what the use cases may reach on their behalf."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast
from uuid import UUID

from core.clock import Clock
from tenancy.addresses import counted
from tenancy.checkout_tokens import CheckoutToken
from tenancy.errors import Forbidden, NoTenant, NotSignedIn, TenantNotServed
from tenancy.policy import Policy
from tenancy.roles import Scope
from tenancy.sessions import OwnerDatabase, Tenant

if TYPE_CHECKING:
    from tenancy.circuits import Circuits
    from tenancy.engines import Tenants
    from tenancy.feed import Feed
    from tenancy.keyring import Keyring
    from tenancy.limits import RateLimits
    from tenancy.tokens import TokenIssuer

Loader = TypeVar("Loader")

PAYER: Final = "payer"
"""The kind of a principal who holds a link to one order's page, and may do nothing else."""


class Closing(Protocol):
    """Something of a process that has to end before its connections do."""

    async def close(self) -> None: ...


Shared = TypeVar("Shared", bound=Closing)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a verified token or API key speaks for."""

    kind: str
    """`user`, `api_key`, `staff` or `payer`: the actor_kind of audit rows."""
    id: UUID
    """The user's id, the API key's, or that of the order a payer may pay."""
    tenant_id: UUID | None
    scopes: frozenset[Scope]
    role: str | None
    expires_at: datetime | None
    session_id: UUID | None = None
    """The family of refresh tokens it was issued from; None for API keys."""
    link: CheckoutToken | None = None
    """What a payer holds; None for everybody else."""


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """Where a request came from, for audit rows and logs."""

    id: str
    ip: str
    user_agent: str

    @property
    def network(self) -> str:
        """Whose limits a request without a token counts for."""
        return counted(self.ip)


async def _told_nobody(_tenant_id: UUID) -> None:
    """For processes that share their tenants with no other."""


@dataclass(slots=True)
class Services:
    """What one process shares between its requests; built once by `server`."""

    owner: OwnerDatabase
    tenants: "Tenants"
    feed: "Feed"
    keyring: "Keyring"
    limits: "RateLimits"
    tokens: "TokenIssuer"
    policy: Policy
    clock: Clock
    circuits: "Circuits"
    tenant_changed: Callable[[UUID], Awaitable[None]] = _told_nobody
    """Tells every process and subscriber that a tenant's registry row has changed; after the commit."""
    _shared: dict[Hashable, Closing] = field(default_factory=dict)

    def shared(self, make: Callable[["Services"], Shared]) -> Shared:
        """The process's own thing of this kind, made on first use."""
        if make not in self._shared:
            self._shared[make] = make(self)
        return cast("Shared", self._shared[make])

    async def close(self) -> None:
        """Let what is shared come to its end; for the end of the process, before its connections."""
        for shared in self._shared.values():
            await shared.close()


@dataclass(slots=True)
class TenantContext:
    """One operation on the tenant schema."""

    services: Services
    request: RequestInfo
    principal: Principal | None = None
    bound_tenant: Tenant | None = None
    not_served: TenantNotServed | None = None
    """Why the token's tenant can't be reached now; people may still sign in, switch and watch it."""
    _loaders: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def tenant(self) -> Tenant:
        """Raises NotSignedIn, NoTenant or TenantNotServed."""
        self.signed_in()
        return self._bound()

    def signed_in(self) -> Principal:
        """Who calls on behalf of a business. Raises NotSignedIn, also for whoever holds a link to pay."""
        if self.principal is None or self.principal.kind == PAYER:
            raise NotSignedIn
        return self.principal

    def paying(self) -> tuple[Tenant, Principal]:
        """Whose order is to be paid, and who holds the link to it: a principal whose id is the order's.

        Raises:
            NotSignedIn: whoever calls has no such link.
            TenantNotServed: the business can't be reached now.
        """
        if self.principal is None or self.principal.kind != PAYER:
            raise NotSignedIn("Open the link to the order again.")
        return self._bound(), self.principal

    def _bound(self) -> Tenant:
        if self.not_served is not None:
            raise self.not_served
        if self.bound_tenant is None:
            raise NoTenant
        return self.bound_tenant

    def require(self, scope: Scope) -> Principal:
        """Raises NotSignedIn, or Forbidden where the role or key lacks the scope."""
        principal = self.signed_in()
        if scope not in principal.scopes:
            raise Forbidden(scope)
        return principal

    def loader(self, make: Callable[["TenantContext"], Loader]) -> Loader:
        """The operation's own data loader of this kind, made on first use."""
        if make not in self._loaders:
            self._loaders[make] = make(self)
        return cast("Loader", self._loaders[make])

    def fork(self) -> "TenantContext":
        """The same caller with loaders of its own: one for each operation on a socket."""
        return TenantContext(self.services, self.request, self.principal, self.bound_tenant, self.not_served)


@dataclass(slots=True)
class OwnerContext:
    """One operation on the owner schema."""

    services: Services
    request: RequestInfo
    principal: Principal | None = None

    @property
    def owner(self) -> OwnerDatabase:
        return self.services.owner

    def signed_in(self) -> Principal:
        """Raises NotSignedIn."""
        if self.principal is None:
            raise NotSignedIn
        return self.principal

    def require(self, scope: Scope) -> Principal:
        """Raises NotSignedIn, or Forbidden where the platform role lacks the scope."""
        principal = self.signed_in()
        if scope not in principal.scopes:
            raise Forbidden(scope)
        return principal

    def fork(self) -> "OwnerContext":
        return OwnerContext(self.services, self.request, self.principal)
