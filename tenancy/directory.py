"""Which tenant is where, and whether it is served."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class TenantStatus(StrEnum):
    """Where a tenant is in its life: the steps of provisioning, then service, then closing."""

    REQUESTED = "requested"
    DATABASE_CREATED = "database_created"
    GRANTED = "granted"
    VERIFIED = "verified"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    MOVING = "moving"
    CLOSING = "closing"
    DELETED = "deleted"
    FAILED = "failed"


class TenantKind(StrEnum):
    """What sort of business a tenant is."""

    INDIVIDUAL = "individual"
    HOUSEHOLD = "household"
    SMALL_BUSINESS = "small_business"
    ENTERPRISE = "enterprise"
    HOLDING = "holding"


@dataclass(frozen=True, slots=True)
class TenantRef:
    """A tenant as the registry knows it."""

    id: UUID
    code: str
    slug: str
    status: TenantStatus
    database_url: str
    """Of its database server, for the role hazina_tenant, without the database's name."""
    database: str
    revision: str
    epoch: int
    tier: str

    @property
    def key(self) -> tuple[UUID, int]:
        """What an engine belongs to: a new epoch is another engine."""
        return self.id, self.epoch


class TenantDirectory(Protocol):
    """Looks tenants up."""

    async def find(self, tenant_id: UUID) -> TenantRef:
        """Raises TenantUnknown. What it says may be some seconds old."""
        ...

    async def find_now(self, tenant_id: UUID) -> TenantRef:
        """Raises TenantUnknown. What it says was true after the call began."""
        ...
