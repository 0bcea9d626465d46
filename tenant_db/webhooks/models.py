"""Rows about webhooks to tenants."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from tenancy.columns import Keyed, TenantModel, one_of
from tenant_db.webhooks.rules import DeliveryState


class WebhookEndpoint(Keyed, TenantModel):
    """One address of the tenant's own systems, and what it wants to be told."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (Index("ix_webhook_endpoints_page", "created_at", "id"),)

    url: Mapped[str]
    description: Mapped[str]
    events: Mapped[list[str]]
    is_enabled: Mapped[bool] = mapped_column(default=True)
    disabled_reason: Mapped[str | None]
    """A member of DisabledReason."""
    disabled_at: Mapped[datetime | None]
    secret: Mapped[str]
    """Sealed; bound to this row."""
    previous_secret: Mapped[str | None]
    """Sealed; messages carry its signature too until `previous_until`."""
    previous_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    """The first failure after the last success."""
    last_success_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    """One run delivers at a time, so that messages arrive in order."""
    deleted_at: Mapped[datetime | None]


class WebhookDelivery(Keyed, TenantModel):
    """One message to one endpoint; its id is the message's id, which a repeat keeps."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        one_of("state", DeliveryState),
        UniqueConstraint("endpoint_id", "event_key"),
        Index(
            "ix_webhook_deliveries_pending", "endpoint_id", "id", postgresql_where=text("state = 'pending'")
        ),
        Index("ix_webhook_deliveries_page", "endpoint_id", "created_at", "id"),
    )

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"))
    event: Mapped[str]
    event_key: Mapped[str]
    """The event, its subject and its version: told once."""
    subject: Mapped[str]
    """TypeID of what it is about."""
    payload: Mapped[dict[str, Any]]
    """`data` of the message, as it was when it happened."""
    state: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    first_failed_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]


class WebhookAttempt(Keyed, TenantModel):
    """One try to deliver, and what was answered. Never changed; deleted with its message after a month."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (Index("ix_webhook_attempts_delivery", "delivery_id", "id"),)

    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_deliveries.id"))
    status: Mapped[int | None]
    """HTTP status; None where no answer came."""
    response: Mapped[str | None]
    """The beginning of the answer, as text."""
    error: Mapped[str | None]
    """Why no answer came."""
    duration_ms: Mapped[int]
