"""Rows about money given back."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.currency import Currency
from core.money import Money
from tenancy.columns import Keyed, MinorUnits, TenantModel, one_of
from tenant_db.refunds.machine import NEXT, RefundStatus
from tenant_db.refunds.rules import RefundCause, RefundOrigin


class Refund(Keyed, TenantModel):
    """One amount of one payment on its way back to the payer."""

    __tablename__ = "refunds"
    __table_args__ = (
        one_of("status", RefundStatus),
        one_of("origin", RefundOrigin),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        Index(
            "uq_refunds_provider_reference",
            "provider_account_id",
            "provider_reference",
            unique=True,
            postgresql_where=text("provider_reference IS NOT NULL"),
        ),
        Index(
            "uq_refunds_item_hash", "item_hash", unique=True, postgresql_where=text("item_hash IS NOT NULL")
        ),
        Index("ix_refunds_page", "created_at", "id"),
        Index("ix_refunds_store_page", "store_id", "created_at", "id"),
    )

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    store_id: Mapped[UUID] = mapped_column(ForeignKey("stores.id"))
    """The payment's."""
    provider_account_id: Mapped[UUID] = mapped_column(ForeignKey("provider_accounts.id"))
    """The payment's: money goes back the way it came."""
    provider: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(MinorUnits)
    currency: Mapped[Currency]
    reason: Mapped[str]
    origin: Mapped[str]
    requested_by: Mapped[str]
    """`{kind}:{id}` of the actor; `system` where nobody here asked for it."""
    status: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    provider_reference: Mapped[str | None]
    """Stripe: `re_…`. M-Pesa: the reversal's ConversationID."""
    item_hash: Mapped[bytes | None]
    """SHA-256 of the secret part of the URL that its result comes to, where the provider answers later."""
    hold_id: Mapped[UUID | None]
    """What set its money aside; None where the money had gone before anybody here knew."""
    transfer_id: Mapped[UUID | None]
    """What took the money out of the books."""
    reversal_id: Mapped[UUID | None]
    """What brought it back."""
    failure_code: Mapped[str | None]
    """The provider's own."""
    failure_message: Mapped[str | None]
    attention: Mapped[str | None]
    """What a person must do at the provider."""
    asks: Mapped[int] = mapped_column(default=0)
    """Rungs of the ladder already taken."""
    submitted_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def state(self) -> RefundStatus:
        return RefundStatus(self.status)

    def advance(self, to: RefundStatus, cause: RefundCause, details: dict[str, Any]) -> "RefundEvent":
        """Take one step of the machine: the only writer of `status`. The caller holds the payment's lock.

        Returns the event, which the caller adds to its session.
        """
        if to not in NEXT[self.state]:
            raise ValueError(f"a refund never goes from {self.status} to {to}")
        before, self.status = self.status, to.value
        return self._event(before, cause, details)

    def remark(self, cause: RefundCause, details: dict[str, Any]) -> "RefundEvent":
        """Record that something was learnt which leaves the status as it is."""
        return self._event(self.status, cause, details)

    def _event(self, before: str, cause: RefundCause, details: dict[str, Any]) -> "RefundEvent":
        self.version += 1
        return RefundEvent(
            refund_id=self.id,
            version=self.version,
            from_status=before,
            to_status=self.status,
            cause=cause.value,
            details=details,
        )


class RefundEvent(Keyed, TenantModel):
    """One step of a refund. Insert-only."""

    __tablename__ = "refund_events"
    __table_args__ = (UniqueConstraint("refund_id", "version"),)

    refund_id: Mapped[UUID] = mapped_column(ForeignKey("refunds.id"))
    version: Mapped[int]
    """The refund's version after this step."""
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    cause: Mapped[str]
    """What told us: a member of RefundCause."""
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
