"""Rows about calls to providers."""

from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from tenancy.columns import Keyed, TenantModel


class ProviderCall(Keyed, TenantModel):
    """One call to the outside, redacted: no secret, token, hook path or whole phone number."""

    __tablename__ = "provider_calls"
    __table_args__ = (
        Index("ix_provider_calls_subject", "subject_id", "created_at"),
        Index("ix_provider_calls_time", "created_at", postgresql_using="brin"),
    )

    provider: Mapped[str]
    operation: Mapped[str]
    """`token`, `stk_push`, `stk_query`."""
    subject_id: Mapped[UUID | None]
    """The payment or channel it was for."""
    method: Mapped[str]
    path: Mapped[str]
    request: Mapped[dict[str, Any]]
    status: Mapped[int | None]
    """HTTP status; None where no answer came."""
    response: Mapped[dict[str, Any] | None]
    outcome: Mapped[str]
    """`answered`, `unavailable` or `unknown`."""
    duration_ms: Mapped[int]
