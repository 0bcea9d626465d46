"""Rows about what people must look at."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.alerts import AlertState, Severity
from core.clock import utc_now
from tenancy.columns import Keyed, TenantModel, one_of

IS_UNRESOLVED: Final = text("state <> 'resolved'")


class Alert(Keyed, TenantModel):
    """One trouble. The same again, before it is resolved, is the same row with a higher count."""

    __tablename__ = "alerts"
    __table_args__ = (
        one_of("severity", Severity),
        one_of("state", AlertState),
        Index("uq_alerts_unresolved", "dedupe_key", unique=True, postgresql_where=IS_UNRESOLVED),
        Index("ix_alerts_page", "created_at", "id"),
        Index("ix_alerts_state", "state", "created_at", "id"),
    )

    dedupe_key: Mapped[str]
    """What makes it the same trouble: its kind and subject, unless whoever raised it knew better."""
    kind: Mapped[str]
    """A member of AlertKind; no CHECK, for new kinds come with new code."""
    severity: Mapped[str]
    subject: Mapped[str]
    """What it is about: a TypeID, or an account's code."""
    message: Mapped[str]
    """For people; of the last time."""
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """No secret and no whole phone number."""
    state: Mapped[str] = mapped_column(default=AlertState.OPEN.value)
    count: Mapped[int] = mapped_column(default=1)
    """How often it was seen."""
    last_at: Mapped[datetime] = mapped_column(default=utc_now)
    version: Mapped[int] = mapped_column(default=1)
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    """`{kind}:{id}` of the actor."""
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    note: Mapped[str | None]
    """What was done about it."""
