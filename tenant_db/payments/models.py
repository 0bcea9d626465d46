"""Rows about payments."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.currency import Currency
from tenancy.columns import Keyed, MinorUnits, TenantModel, one_of
from tenant_db.payments.machine import PaymentStatus


class Payment(Keyed, TenantModel):
    """One attempt to collect one amount for one order."""

    __tablename__ = "payments"
    __table_args__ = (
        one_of("status", PaymentStatus),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        # The payer sees the reference and may type it again: it must name one payment.
        UniqueConstraint("channel_id", "reference"),
        Index(
            "uq_payments_provider_reference",
            "channel_id",
            "provider_reference",
            unique=True,
            postgresql_where=text("provider_reference IS NOT NULL"),
        ),
        Index(
            "uq_payments_receipt",
            "environment",
            "short_code",
            "receipt",
            unique=True,
            postgresql_where=text("receipt IS NOT NULL"),
        ),
        Index(
            "uq_payments_item_hash", "item_hash", unique=True, postgresql_where=text("item_hash IS NOT NULL")
        ),
        Index("ix_payments_page", "created_at", "id"),
        Index("ix_payments_store_page", "store_id", "created_at", "id"),
    )

    store_id: Mapped[UUID] = mapped_column(ForeignKey("stores.id"))
    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channels.id"))
    provider_account_id: Mapped[UUID] = mapped_column(ForeignKey("provider_accounts.id"), index=True)
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id"), index=True)
    provider: Mapped[str]
    environment: Mapped[str]
    short_code: Mapped[str]
    """The channel's, kept here because a receipt is unique per short code."""
    amount_minor: Mapped[int] = mapped_column(MinorUnits)
    currency: Mapped[Currency]
    phone: Mapped[str]
    """Who is asked to pay, in E.164."""
    reference: Mapped[str]
    """What the payer sees: at most 12 letters and digits, made by us."""
    order_reference: Mapped[str | None]
    """The tenant's own name of the order."""
    description: Mapped[str]
    status: Mapped[str]
    sub_status: Mapped[str | None]
    """The provider's step: `stk_initiated`, `stk_success`, `stk_failed`."""
    failure_code: Mapped[str | None]
    """Why it failed: a member of FailureReason."""
    failure_message: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every step, so that a client can drop what it has seen."""
    item_hash: Mapped[bytes | None]
    """SHA-256 of the secret part of this attempt's callback URL."""
    provider_reference: Mapped[str | None]
    """M-Pesa: CheckoutRequestID."""
    request_reference: Mapped[str | None]
    """M-Pesa: MerchantRequestID."""
    receipt: Mapped[str | None]
    """M-Pesa: MpesaReceiptNumber, the same as the TransID of a C2B confirmation."""
    needs_review: Mapped[bool] = mapped_column(default=False)
    """Something contradicted it; a person must look."""
    review_note: Mapped[str | None]
    polls: Mapped[int] = mapped_column(default=0)
    """Rungs of the poll ladder already taken."""
    expires_at: Mapped[datetime]
    """From then on the provider's word that nothing was paid ends it."""
    submitted_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]


class PaymentEvent(Keyed, TenantModel):
    """One step of a payment. Insert-only."""

    __tablename__ = "payment_events"
    __table_args__ = (UniqueConstraint("payment_id", "version"),)

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"))
    version: Mapped[int]
    """The payment's version after this step."""
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    sub_status: Mapped[str | None]
    cause: Mapped[str]
    """What told us: `api`, `job`, `callback`, `confirmation`, `query`."""
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
