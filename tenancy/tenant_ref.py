"""What is known of a tenant before its database is opened."""

from dataclasses import dataclass
from uuid import UUID

from core.tenant import TenantStatus


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
