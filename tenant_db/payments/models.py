"""Rows about payments."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from core.collecting import ActionKind, CaptureMode, Method, NextAction
from core.currency import Currency
from core.money import Money
from tenancy.columns import Keyed, MinorUnits, TenantModel, one_of
from tenant_db.payments.machine import NEXT, PaymentStatus
from tenant_db.payments.rules import Cause, ConfirmationState


class Payment(Keyed, TenantModel):
    """One attempt to collect one amount for one order."""

    __tablename__ = "payments"
    __table_args__ = (
        one_of("status", PaymentStatus),
        one_of("method", Method),
        one_of("capture_mode", CaptureMode),
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
            "uq_payments_account_reference",
            "provider_account_id",
            "provider_reference",
            unique=True,
            postgresql_where=text("channel_id IS NULL AND provider_reference IS NOT NULL"),
        ),
        Index(
            "uq_payments_account_receipt",
            "provider_account_id",
            "receipt",
            unique=True,
            postgresql_where=text("channel_id IS NULL AND receipt IS NOT NULL"),
        ),
        Index(
            "uq_payments_item_hash", "item_hash", unique=True, postgresql_where=text("item_hash IS NOT NULL")
        ),
        # The double-payment guard asks for the other attempts of an order.
        Index("ix_payments_order", "order_reference", postgresql_where=text("order_reference IS NOT NULL")),
        Index("ix_payments_page", "created_at", "id"),
        Index("ix_payments_review", "created_at", "id", postgresql_where=text("needs_review")),
        Index("ix_payments_store_page", "store_id", "created_at", "id"),
    )

    store_id: Mapped[UUID] = mapped_column(ForeignKey("stores.id"))
    channel_id: Mapped[UUID | None] = mapped_column(ForeignKey("channels.id"))
    """None where the provider account collects without a short code."""
    provider_account_id: Mapped[UUID] = mapped_column(ForeignKey("provider_accounts.id"), index=True)
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id"), index=True)
    order_id: Mapped[UUID | None]
    provider: Mapped[str]
    environment: Mapped[str]
    short_code: Mapped[str | None]
    """The channel's, kept here because a receipt is unique per short code."""
    method: Mapped[str] = mapped_column(
        default=Method.MOBILE_MONEY.value, server_default=text("'mobile_money'")
    )
    capture_mode: Mapped[str] = mapped_column(
        default=CaptureMode.AUTOMATIC.value, server_default=text("'automatic'")
    )
    amount_minor: Mapped[int] = mapped_column(MinorUnits)
    currency: Mapped[Currency]
    phone: Mapped[str | None]
    """Who is asked to pay, in E.164; None where no phone is asked."""
    email: Mapped[str | None]
    """The payer's."""
    return_url: Mapped[str | None]
    """Where a payer who was sent away comes back to."""
    next_action: Mapped[dict[str, Any] | None]
    """What the payer has to do next: `kind`, `instructions`, `url`, `data`. A payer's browser may see it."""
    authorized_minor: Mapped[int | None] = mapped_column(MinorUnits)
    """What the payer's bank promised; None where money is taken at once."""
    captured_minor: Mapped[int | None] = mapped_column(MinorUnits)
    """What is to be taken, or was, of the promise: its store is credited with this."""
    fee_minor: Mapped[int | None] = mapped_column(MinorUnits)
    """What the provider kept; None where it does not say."""
    attempt: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    """Grows when another provider account takes over."""
    routed_by_us: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether we chose the provider account, and may choose another."""
    tried_account_ids: Mapped[list[UUID]] = mapped_column(
        ARRAY(Uuid), default=list, server_default=text("'{}'")
    )
    """Provider accounts that surely did not take it."""
    reference: Mapped[str]
    """What the payer sees: at most 12 letters and digits, made by us."""
    order_reference: Mapped[str | None]
    """The tenant's own name of the order."""
    description: Mapped[str]
    status: Mapped[str]
    sub_status: Mapped[str | None]
    """The provider's step: `stk_initiated`, `stk_success`, `stk_failed`."""
    failure_code: Mapped[str | None]
    """Why it failed: a member of FailureReason, or the provider's own code where we know none."""
    failure_message: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every step, so that a client can drop what it has seen."""
    item_hash: Mapped[bytes | None]
    """SHA-256 of the secret part of this attempt's callback URL."""
    provider_reference: Mapped[str | None]
    """M-Pesa: CheckoutRequestID. Stripe: `pi_…`. Paystack: reference. Flutterwave: tx_ref."""
    request_reference: Mapped[str | None]
    """M-Pesa: MerchantRequestID. Flutterwave: the transaction's id."""
    receipt: Mapped[str | None]
    """M-Pesa: MpesaReceiptNumber, the same as the TransID of a C2B confirmation. Stripe: `ch_…`."""
    needs_review: Mapped[bool] = mapped_column(default=False)
    """Something contradicted it; a person must look."""
    review_note: Mapped[str | None]
    polls: Mapped[int] = mapped_column(default=0)
    """Rungs of the poll ladder already taken."""
    expires_at: Mapped[datetime]
    """From then on the provider's word that nothing was paid ends it."""
    submitted_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def state(self) -> PaymentStatus:
        return PaymentStatus(self.status)

    @property
    def due(self) -> Money:
        """What its store is credited with: a part of the amount where only a part was captured."""
        captured = self.captured_minor
        return Money(self.amount_minor if captured is None else captured, self.currency)

    @property
    def attempt_key(self) -> str:
        """Names this attempt at the provider for ever: at most 40 letters, digits and `-`."""
        return str(self.id) if self.attempt == 1 else f"{self.id}-{self.attempt}"

    @property
    def action(self) -> NextAction | None:
        return None if self.next_action is None else shown_action(self.next_action)

    def advance(self, to: PaymentStatus, cause: Cause, details: dict[str, Any]) -> "PaymentEvent":
        """Take one step of the machine: the only writer of `status`. The caller holds the row's lock.

        Returns the event, which the caller adds to its session.
        """
        if to not in NEXT[self.state]:
            raise ValueError(f"a payment never goes from {self.status} to {to}")
        return self._stepped(to, cause, details)

    def remark(self, cause: Cause, details: dict[str, Any]) -> "PaymentEvent":
        """Record that something was learnt which leaves the status as it is: a receipt, a doubt."""
        return self._stepped(self.state, cause, details)

    def _stepped(self, to: PaymentStatus, cause: Cause, details: dict[str, Any]) -> "PaymentEvent":
        before, self.status = self.status, to.value
        self.version += 1
        return PaymentEvent(
            payment_id=self.id,
            version=self.version,
            from_status=before,
            to_status=self.status,
            sub_status=self.sub_status,
            cause=cause.value,
            details=details,
        )


def shown_action(written: Mapping[str, Any]) -> NextAction:
    """A next action as its column has it."""
    data = dict(written.get("data", {}))
    return NextAction(ActionKind(written["kind"]), written["instructions"], written.get("url"), data)


class PayerStep(Keyed, TenantModel):
    """What a payer entered for the provider, sealed, until a job has handed it on."""

    __tablename__ = "payer_steps"

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    sealed: Mapped[str]
    """JSON by name, bound to tenant, table, column and row."""


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
    """What told us: a member of Cause."""
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Confirmation(Keyed, TenantModel):
    """Money that a provider says came in, told without our asking (M-Pesa: C2B confirmation)."""

    __tablename__ = "payment_confirmations"
    __table_args__ = (
        one_of("state", ConfirmationState),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        UniqueConstraint("environment", "short_code", "receipt"),
        Index("ix_payment_confirmations_suspense", "id", postgresql_where=text("state = 'suspense'")),
    )

    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channels.id"), index=True)
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments.id"), index=True)
    environment: Mapped[str]
    short_code: Mapped[str]
    receipt: Mapped[str]
    """M-Pesa: TransID, the same as the receipt of an STK callback."""
    amount_minor: Mapped[int] = mapped_column(MinorUnits)
    currency: Mapped[Currency]
    account: Mapped[str]
    """What the payer typed: BillRefNumber; empty for a till."""
    payer: Mapped[str]
    """The payer's number as it was told: masked, hashed or clear; never a key."""
    paid_at: Mapped[datetime]
    state: Mapped[str]
    note: Mapped[str | None]
    """Why nobody was credited, in words for the tenant."""

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)
