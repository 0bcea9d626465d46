"""Stripe's webhooks: from raw bytes to what they tell.

Source: Stripe sheet, section 6.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Final

from core.money import Money
from integrations.errors import BadMessage
from integrations.protocol import Answer, Paid
from integrations.stripe.amounts import of_stripe
from integrations.stripe.codes import word
from integrations.stripe.intents import Mode, Object, metadata, object_id, require_id, told
from integrations.stripe.signatures import HEADER, require_signature
from integrations.webhooks import (
    BadSignature,
    DisputeStatus,
    DisputeTold,
    PaymentTold,
    ProviderEvent,
    RefundTold,
    Webhook,
)
from integrations.wire_json import Json, read_object, require_object

PROVING: Final = frozenset(
    {
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.amount_capturable_updated",
        "payment_intent.canceled",
    }
)
"""What these say is final enough to be taken from a signed event."""
ASKING: Final = frozenset({"payment_intent.processing", "payment_intent.requires_action"})
"""The payer's next step may have changed since: a reason to ask."""
REFUNDS: Final = frozenset({"refund.created", "refund.updated", "refund.failed"})
CROSS_CHECK: Final = "charge.refunded"
DISPUTES: Final[Mapping[str, bool | None]] = {
    "charge.dispute.created": None,
    "charge.dispute.closed": None,
    "charge.dispute.funds_withdrawn": True,
    "charge.dispute.funds_reinstated": False,
}
EVENTS: Final = tuple(sorted({*PROVING, *ASKING, *REFUNDS, CROSS_CHECK, *DISPUTES}))
"""What a tenant enables on the endpoint, and nothing else."""

DISPUTE_STATUSES: Final[Mapping[str, DisputeStatus]] = {
    "needs_response": DisputeStatus.NEEDS_RESPONSE,
    "warning_needs_response": DisputeStatus.NEEDS_RESPONSE,
    "under_review": DisputeStatus.UNDER_REVIEW,
    "warning_under_review": DisputeStatus.UNDER_REVIEW,
    "won": DisputeStatus.WON,
    "warning_closed": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}
EXPECTED_STATUS: Final[Mapping[str, str]] = {
    "payment_intent.succeeded": "succeeded",
    "payment_intent.payment_failed": "requires_payment_method",
    "payment_intent.amount_capturable_updated": "requires_capture",
    "payment_intent.canceled": "canceled",
}


class StripeWebhooks:
    """As `WebhookScheme` says."""

    header_names: Sequence[str] = (HEADER,)
    secret_names: Sequence[str] = ("webhook_secret",)
    secret_fields: AbstractSet[str] = frozenset({"client_secret"})
    """Whoever holds it can act on the payment in the payer's name."""
    refusal_status: int = 400

    def authenticate(self, webhook: Webhook, secrets: Sequence[str], now: datetime) -> None:
        header = webhook.headers.get(HEADER)
        if header is None:
            raise BadSignature("There is no signature.")
        require_signature(webhook.body, header, secrets, now)

    def external_id(self, body: bytes) -> str:
        """The event's id: a repeat has the same."""
        event_id = require_id(read_object(body).get("id"))
        if not event_id.startswith("evt_"):
            raise BadMessage("This is no event.")
        return event_id

    def read(self, body: bytes) -> Sequence[ProviderEvent]:
        """At most one fact; what a tenant enabled besides concerns nobody."""
        event = read_object(body)
        kind = event.get("type")
        if not isinstance(kind, str):
            raise BadMessage("An event has a type.")
        if kind not in EVENTS:
            return ()
        data = require_object(event.get("data"))
        thing = require_object(data.get("object"))
        if kind in REFUNDS:
            return (_refund(thing),)
        if kind == CROSS_CHECK:
            return (RefundTold(object_id(thing.get("payment_intent")), None),)
        if kind in DISPUTES:
            return (_dispute(thing, DISPUTES[kind]),)
        return (_payment(thing, kind, event.get("livemode")),)


def _payment(intent: Object, kind: str, livemode: Json) -> PaymentTold:
    is_live = livemode if isinstance(livemode, bool) else None
    payment_id, tenant = metadata(intent, "payment_id"), metadata(intent, "tenant")
    # What carries no name of ours, or contradicts itself, proves nothing: Stripe is asked.
    is_proof = bool(payment_id and tenant) and is_live is not None and intent.get("livemode") is is_live
    is_proof = is_proof and intent.get("status") == EXPECTED_STATUS.get(kind)
    return PaymentTold(
        provider_reference=require_id(intent.get("id")),
        payment_id=payment_id,
        answer=_answer(intent, Mode(bool(is_live))) if is_proof else None,
        tenant=tenant,
        is_live=is_live,
    )


def _answer(intent: Object, mode: Mode) -> Answer | None:
    try:
        answer = told(intent, mode)
    except BadMessage:
        return None
    # Without its charge the money would have no receipt.
    return None if isinstance(answer, Paid) and answer.receipt is None else answer


def _refund(refund: Object) -> RefundTold:
    return RefundTold(
        payment_reference=object_id(refund.get("payment_intent")),
        refund_reference=require_id(refund.get("id")),
        refund_id=metadata(refund, "refund_id"),
    )


def _dispute(dispute: Object, is_withdrawn: bool | None) -> DisputeTold:  # noqa: FBT001 - a fact of the event's type
    evidence = dispute.get("evidence_details")
    fees = _fees(dispute)
    return DisputeTold(
        provider_reference=require_id(dispute.get("id")),
        payment_reference=object_id(dispute.get("payment_intent")),
        receipt=object_id(dispute.get("charge")),
        amount=_money(dispute),
        reason=word(dispute.get("reason")) or "general",
        # A status we don't know decides nothing: only money that moved does.
        status=DISPUTE_STATUSES.get(word(dispute.get("status")), DisputeStatus.UNDER_REVIEW),
        evidence_due_at=_instant(evidence.get("due_by") if isinstance(evidence, dict) else None),
        is_withdrawn=is_withdrawn,
        fee=_sum([fee for fee in fees if fee.minor > 0]),
        fee_returned=_sum([-fee for fee in fees if fee.minor < 0]),
    )


def _fees(dispute: Object) -> list[Money]:
    """Of the movements a dispute has caused, in its own currency: what settles in another is in statements.

    Source: stripe 16.1.0, `Dispute.balance_transactions`, `BalanceTransaction.fee`.
    """
    moved = dispute.get("balance_transactions")
    fees = []
    for entry in moved if isinstance(moved, list) else []:
        try:
            fees.append(of_stripe(require_object(entry).get("fee"), require_object(entry).get("currency")))
        except BadMessage:
            continue
    disputed = _money(dispute)
    return [fee for fee in fees if disputed is not None and fee.currency is disputed.currency]


def _sum(fees: Sequence[Money]) -> Money | None:
    return Money(sum(fee.minor for fee in fees), fees[0].currency) if fees else None


def _money(thing: Object) -> Money | None:
    try:
        return of_stripe(thing.get("amount"), thing.get("currency"))
    except BadMessage:
        return None


def _instant(seconds: Json) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None
