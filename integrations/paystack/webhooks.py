"""Paystack's webhooks: proven by the secret key itself, and never more than a reason to ask.

Source: Paystack, section 7.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from core.money import Money
from integrations.errors import BadMessage
from integrations.paystack.reading import instant_of, metadata_of, object_of, text_of, whole_of
from integrations.paystack.units import from_subunits
from integrations.webhooks import (
    BadSignature,
    DisputeStatus,
    DisputeTold,
    PaymentTold,
    ProviderEvent,
    RefundTold,
    Webhook,
)
from integrations.wire_json import Json, read_object

SIGNATURE: Final = "x-paystack-signature"
EXTERNAL_ID_CHARACTERS_MAX: Final = 200
CHARGES: Final = ("charge.success", "charge.failed")
REFUND: Final = "refund."
DISPUTE: Final = "charge.dispute."
RESOLVED: Final = "resolve"
LIVE: Final = "live"

RESOLUTIONS: Final[Mapping[str, DisputeStatus]] = {
    "merchant-accepted": DisputeStatus.LOST,
    "auto-accepted": DisputeStatus.LOST,
    "declined": DisputeStatus.WON,
}
"""[ASSUMED] The words of `resolution`; another one leaves the dispute to a person."""
WITH_BANK: Final = "awaiting-bank-feedback"
"""[ASSUMED] The business has answered."""

Data = Mapping[str, Json]


class PaystackWebhooks:
    """HMAC-SHA512 of the raw body, under the secret key of the same mode."""

    header_names: Sequence[str] = (SIGNATURE,)
    secret_names: Sequence[str] = ("secret_key",)
    secret_fields: AbstractSet[str] = frozenset({"authorization_code", "access_code"})
    """With the first and the secret key a card is charged again."""
    refusal_status: int = 401

    def authenticate(self, webhook: Webhook, secrets: Sequence[str], now: datetime) -> None:
        """Prove that Paystack sent the body; any of the keys will do (two while they are replaced).

        The header is 128 lower-case hex digits. It holds no time, so a replay passes: the inbox drops it.

        Raises:
            BadSignature: it fits no key.
        """
        given = webhook.headers.get(SIGNATURE, "").encode(errors="replace")
        # An empty key would let everybody sign.
        fitting = [hmac.compare_digest(given, sign(webhook.body, key)) for key in secrets if key]
        if not any(fitting):
            raise BadSignature("x-paystack-signature fits no secret key")

    def external_id(self, body: bytes) -> str:
        """Made of what names the effect: Paystack's messages have no id of their own.

        A failure and a success of one reference are two messages: the success may not pass for a repeat.

        Raises:
            BadMessage: it can't be read.
        """
        event, data = _read(body)
        parts = _names(event, data)
        if parts is None:
            return f"{event[:60]}:{hashlib.sha256(body).hexdigest()}"
        made = ":".join([event, *parts])
        if len(made) > EXTERNAL_ID_CHARACTERS_MAX:
            return f"{event[:60]}:{hashlib.sha256(made.encode()).hexdigest()}"
        return made

    def read(self, body: bytes) -> Sequence[ProviderEvent]:
        """What it tells; transfers and unknown events tell nothing here.

        Raises:
            BadMessage: it can't be read, or names nothing to ask about.
        """
        event, data = _read(body)
        if event in CHARGES:
            reference = _required(data.get("reference"), "reference")
            return [_payment(reference, data)]
        if event.startswith(REFUND):
            payment = _required(data.get("transaction_reference"), "transaction_reference")
            # `refund_reference` is the bank's; the refund's own id comes only when it needs attention.
            return [RefundTold(payment, text_of(data.get("id")) or None)]
        if event.startswith(DISPUTE):
            return [_dispute(event.removeprefix(DISPUTE), data)]
        return []


def sign(body: bytes, key: str) -> bytes:
    """The signature of a body, as the header holds it."""
    return hmac.new(key.encode(errors="replace"), body, hashlib.sha512).hexdigest().encode()


def _read(body: bytes) -> tuple[str, dict[str, Json]]:
    message = read_object(body)
    event, data = text_of(message.get("event")), message.get("data")
    if not event or not isinstance(data, dict):
        raise BadMessage("A webhook has an event and its data.")
    return event, data


def _names(event: str, data: Data) -> list[str] | None:
    """What tells this message from others of its event; None where the sheet has no rule."""
    found: list[str]
    if event in CHARGES or event.startswith("transfer."):
        found = _texts(data, "reference")
    elif event.startswith(REFUND):
        found = _texts(data, "transaction_reference", "refund_reference", "amount")
    elif event.startswith(DISPUTE):
        found = _texts(data, "id", "status")
    else:
        return None
    return found if found[0] else None


def _texts(data: Data, *names: str) -> list[str]:
    return [text_of(data.get(name)) for name in names]


def _payment(reference: str, data: Data) -> PaymentTold:
    metadata = metadata_of(data.get("metadata"))
    mode = text_of(data.get("domain"))
    return PaymentTold(
        provider_reference=reference,
        payment_id=text_of(metadata.get("payment_id")) or None,
        tenant=text_of(metadata.get("tenant")) or None,
        is_live=mode == LIVE if mode else None,
    )


def _dispute(step: str, data: Data) -> DisputeTold:
    transaction = object_of(data.get("transaction"))
    status = _dispute_status(step, data)
    return DisputeTold(
        provider_reference=_required(data.get("id"), "id"),
        payment_reference=text_of(transaction.get("reference")) or None,
        receipt=text_of(transaction.get("id")) or None,
        amount=_disputed(data, transaction),
        reason=text_of(data.get("category")) or text_of(data.get("reason")),
        status=status,
        evidence_due_at=instant_of(data.get("dueAt")) or instant_of(data.get("due_at")),
        # Paystack takes the money when a dispute is lost, not before.
        is_withdrawn=True if status is DisputeStatus.LOST else None,
    )


def _dispute_status(step: str, data: Data) -> DisputeStatus:
    if step == RESOLVED:
        return RESOLUTIONS.get(text_of(data.get("resolution")), DisputeStatus.UNDER_REVIEW)
    is_answered = text_of(data.get("status")) == WITH_BANK
    return DisputeStatus.UNDER_REVIEW if is_answered else DisputeStatus.NEEDS_RESPONSE


def _disputed(data: Data, transaction: Data) -> Money | None:
    subunits = whole_of(data.get("refund_amount"))
    if subunits is None:
        return None
    return from_subunits(subunits, text_of(data.get("currency")) or text_of(transaction.get("currency")))


def _required(value: Json, name: str) -> str:
    text = text_of(value)
    if not text:
        raise BadMessage(f"{name} is missing or malformed.")
    return text
