"""Rows of the tenant registry."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.clock import utc_now
from core.tenant import TenantKind, TenantStatus
from tenancy.columns import Keyed, OwnerModel, one_of


class DatabaseServer(Keyed, OwnerModel):
    """A PostgreSQL server where tenant databases can be placed."""

    __tablename__ = "database_servers"
    __table_args__ = (CheckConstraint("capacity > 0", name="capacity_positive"),)

    name: Mapped[str] = mapped_column(unique=True)
    tenant_url: Mapped[str]
    """SQLAlchemy URL for the role hazina_tenant, without a database; passwords come from the environment."""
    migrator_url: Mapped[str]
    """The same for hazina_migrator; its database is where CREATE DATABASE runs."""
    capacity: Mapped[int]
    """How many tenant databases may be placed here."""
    is_open: Mapped[bool] = mapped_column(default=True)
    """Whether new tenants are placed here."""


class Tenant(Keyed, OwnerModel):
    """One business, and where its database is."""

    __tablename__ = "tenants"
    __table_args__ = (
        one_of("status", TenantStatus),
        one_of("kind", TenantKind),
        Index("ix_tenants_page", "created_at", "id"),
    )

    number: Mapped[int] = mapped_column(Identity(start=1000), unique=True)
    """What the code is made from."""
    code: Mapped[str] = mapped_column(unique=True)
    """Such as HZ-4F7K2M: the number in Crockford base 32 and a check character."""
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[str]
    country: Mapped[str]
    """ISO 3166 alpha-2."""
    status: Mapped[str]
    status_reason: Mapped[str | None]
    """Why it is suspended, failed or closing."""
    tier_id: Mapped[UUID] = mapped_column(ForeignKey("tiers.id"), index=True)
    server_id: Mapped[UUID] = mapped_column(ForeignKey("database_servers.id"), index=True)
    database: Mapped[str] = mapped_column(unique=True)
    """An opaque name: t_ and random hex."""
    revision: Mapped[str | None]
    """The Alembic revision its schema is at; None until it is verified."""
    catalogue_hash: Mapped[bytes | None]
    epoch: Mapped[int] = mapped_column(default=1)
    """Grows whenever engines and jobs made before must no longer count: move, suspend, restore."""
    created_by: Mapped[UUID | None]
    activated_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    closing_at: Mapped[datetime | None]


class TenantKey(Keyed, OwnerModel):
    """A tenant's data key, wrapped by the master key. Left out of owner backups."""

    __tablename__ = "tenant_keys"
    __table_args__ = (UniqueConstraint("tenant_id", "version"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    version: Mapped[int]
    wrapped: Mapped[bytes]
    wrapper: Mapped[str]
    """Which master key wrapped it."""


class HookEndpoint(Keyed, OwnerModel):
    """Maps the secret part of a callback URL to the tenant it belongs to."""

    __tablename__ = "hook_endpoints"

    token_hash: Mapped[bytes] = mapped_column(unique=True)
    """SHA-256 of the 128 random bits in the path."""
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    provider: Mapped[str]
    purpose: Mapped[str]
    """What arrives there: `stk`, `c2b_confirmation`, `c2b_validation`, `webhook`."""
    channel_id: Mapped[UUID | None]
    provider_account_id: Mapped[UUID | None]
    revoked_at: Mapped[datetime | None]


class ShortCode(Keyed, OwnerModel):
    """A verified production short code, held by one tenant, so that nobody can squat on it."""

    __tablename__ = "short_codes"
    __table_args__ = (UniqueConstraint("provider", "short_code"),)

    provider: Mapped[str]
    short_code: Mapped[str]
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    channel_id: Mapped[UUID]


class DirtyTenant(OwnerModel):
    """A tenant whose outbox may hold work that no wake-up told of."""

    __tablename__ = "dirty_tenants"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    marked_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class MigrationRun(Keyed, OwnerModel):
    """One upgrade of the whole fleet; resumable."""

    __tablename__ = "migration_runs"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'done', 'stopped')", name="state_known"),
        Index("uq_migration_runs_open", "target", unique=True, postgresql_where=text("state = 'running'")),
    )

    target: Mapped[str]
    state: Mapped[str]
    finished_at: Mapped[datetime | None]


class MigrationItem(Keyed, OwnerModel):
    """One tenant in a migration run."""

    __tablename__ = "migration_items"
    __table_args__ = (
        UniqueConstraint("run_id", "tenant_id"),
        CheckConstraint("state IN ('pending', 'running', 'done', 'failed')", name="state_known"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey("migration_runs.id"))
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    from_revision: Mapped[str | None]
    state: Mapped[str]
    wave: Mapped[int]
    """0 is the canaries; later waves are larger."""
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    duration_ms: Mapped[int | None]
