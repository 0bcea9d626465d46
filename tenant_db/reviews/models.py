"""Rows of the queue for people."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.clock import utc_now
from tenancy.columns import Keyed, TenantModel, one_of
from tenant_db.reviews.rules import ReviewCause, ReviewDecision, ReviewState, ReviewSubject

IS_OPEN: Final = text("state = 'open'")


class Review(Keyed, TenantModel):
    """One question for a person. What comes up about the same thing while it is open joins it."""

    __tablename__ = "reviews"
    __table_args__ = (
        one_of("subject_kind", ReviewSubject),
        one_of("cause", ReviewCause),
        one_of("state", ReviewState),
        one_of("suggestion", ReviewDecision),
        one_of("decision", ReviewDecision),
        CheckConstraint(
            "num_nonnulls(payment_id, refund_id, confirmation_id, inbox_id) = 1", name="one_subject"
        ),
        CheckConstraint("(state = 'decided') = (decision IS NOT NULL)", name="decision_whole"),
        Index("uq_reviews_open", "subject_kind", "subject_id", unique=True, postgresql_where=IS_OPEN),
        Index("ix_reviews_page", "created_at", "id"),
        Index("ix_reviews_state", "state", "created_at", "id"),
    )

    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    """That of the one column of the next four which is set."""
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments.id"), index=True)
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("refunds.id"), index=True)
    confirmation_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment_confirmations.id"))
    inbox_id: Mapped[UUID | None] = mapped_column(ForeignKey("inbox.id"))
    cause: Mapped[str]
    """Why it was opened; what joined later stands in `notes`."""
    question: Mapped[str]
    """What the person is asked, in words."""
    notes: Mapped[list[str]]
    """What came up, the oldest first."""
    suggestion: Mapped[str | None]
    """What would usually be right."""
    state: Mapped[str] = mapped_column(default=ReviewState.OPEN.value)
    version: Mapped[int] = mapped_column(default=1)
    last_at: Mapped[datetime] = mapped_column(default=utc_now)
    decision: Mapped[str | None]
    proof: Mapped[str | None]
    """The provider's receipt or reference that the person has seen."""
    reason: Mapped[str | None]
    decided_by: Mapped[str | None]
    """`{kind}:{id}` of the actor."""
    decided_at: Mapped[datetime | None]
    outcome: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """TypeIDs of what the decision made: a refund, a transfer."""
