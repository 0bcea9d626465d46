"""Rows about disputed payments."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.currency import Currency
from core.money import Money
from tenancy.columns import Keyed, MinorUnits, TenantModel, one_of
from tenant_db.disputes.rules import DisputeStatus


class Dispute(Keyed, TenantModel):
    """One case that a payer's bank has opened about one payment."""

    __tablename__ = "disputes"
    __table_args__ = (
        one_of("status", DisputeStatus),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        UniqueConstraint("provider_account_id", "provider_reference"),
        Index("ix_disputes_page", "created_at", "id"),
        Index("ix_disputes_store_page", "store_id", "created_at", "id"),
    )

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    store_id: Mapped[UUID] = mapped_column(ForeignKey("stores.id"))
    """The payment's."""
    provider_account_id: Mapped[UUID] = mapped_column(ForeignKey("provider_accounts.id"))
    provider: Mapped[str]
    provider_reference: Mapped[str]
    """Stripe: `dp_…`."""
    amount_minor: Mapped[int] = mapped_column(MinorUnits)
    """What is disputed: at most the payment's amount, usually all of it."""
    currency: Mapped[Currency]
    reason: Mapped[str]
    """The provider's word, such as `fraudulent`."""
    status: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    evidence_due_at: Mapped[datetime | None]
    evidence: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What the business says for itself, by field."""
    evidence_submitted_at: Mapped[datetime | None]
    is_withdrawal_told: Mapped[bool] = mapped_column(default=False)
    is_reinstatement_told: Mapped[bool] = mapped_column(default=False)
    withdrawal_id: Mapped[UUID | None]
    """The transfer that took the money from the store."""
    reinstatement_id: Mapped[UUID | None]
    """The transfer that gave it back."""
    closed_at: Mapped[datetime | None]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def state(self) -> DisputeStatus:
        return DisputeStatus(self.status)
