"""Rows about what the platform's staff must look at."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.alerts import AlertState, Severity
from core.clock import utc_now
from tenancy.columns import Keyed, OwnerModel, one_of

IS_OWN: Final = text("state <> 'resolved' AND source_id IS NULL")
IS_COPY: Final = text("source_id IS NOT NULL")


class PlatformAlert(Keyed, OwnerModel):
    """A trouble of the platform, or the copy of one that a business was shown."""

    __tablename__ = "alerts"
    __table_args__ = (
        one_of("severity", Severity),
        one_of("state", AlertState),
        Index("uq_alerts_unresolved", "dedupe_key", unique=True, postgresql_where=IS_OWN),
        Index("uq_alerts_copy", "tenant_id", "source_id", unique=True, postgresql_where=IS_COPY),
        Index("ix_alerts_page", "created_at", "id"),
        Index("ix_alerts_state", "state", "created_at", "id"),
        Index("ix_alerts_tenant", "tenant_id", "created_at", "id"),
    )

    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    """Whose trouble it is; None is the platform's."""
    source_id: Mapped[UUID | None]
    """Of the alert in the tenant's database that this copies; None: the platform has raised it itself."""
    dedupe_key: Mapped[str]
    kind: Mapped[str]
    severity: Mapped[str]
    subject: Mapped[str]
    message: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(default=AlertState.OPEN.value)
    count: Mapped[int] = mapped_column(default=1)
    last_at: Mapped[datetime] = mapped_column(default=utc_now)
    version: Mapped[int] = mapped_column(default=1)
    """Of a copy, the version of what it copies."""
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    note: Mapped[str | None]
