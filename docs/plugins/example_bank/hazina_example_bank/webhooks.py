"""Example Bank's webhooks: HMAC-SHA256 over the time and the raw bytes."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from hazina_example_bank.messages import Collection, text_of
from integrations.protocol import Paid
from integrations.webhooks import BadSignature, PaymentTold, ProviderEvent, RefundTold, Webhook
from integrations.wire_json import Json, read_object, require_object

SIGNATURE_HEADER: Final = "x-example-bank-signature"
TOLERANCE: Final = timedelta(minutes=5)
"""An older message is refused: somebody may have recorded it."""
_SIGNATURE: Final = re.compile(r"t=([0-9]{10}),v1=([0-9a-f]{64})")


def sign(body: bytes, secret: str, at: datetime) -> str:
    """The header's value: `t=1795279025,v1=…`."""
    seconds = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


@dataclass(frozen=True, slots=True)
class ExampleBankWebhooks:
    """An `integrations.webhooks.WebhookScheme`."""

    header_names: Sequence[str] = (SIGNATURE_HEADER,)
    secret_names: Sequence[str] = ("webhook_secret",)
    refusal_status: int = 401

    def authenticate(self, webhook: Webhook, secrets: Sequence[str], now: datetime) -> None:
        found = _SIGNATURE.fullmatch(webhook.headers.get(SIGNATURE_HEADER, ""))
        if found is None:
            raise BadSignature
        told_at = datetime.fromtimestamp(int(found[1]), UTC)
        given = found.group().encode()
        # Every secret is tried, so that the time tells nothing of which one fits.
        fits = [
            hmac.compare_digest(given, sign(webhook.body, secret, told_at).encode())
            for secret in secrets
            if secret
        ]
        if not any(fits) or abs(now - told_at) > TOLERANCE:
            raise BadSignature

    def external_id(self, body: bytes) -> str:
        return text_of(read_object(body), "id")

    def read(self, body: bytes) -> Sequence[ProviderEvent]:
        """A signed message of the bank is proof: it says what a question would be answered."""
        message = read_object(body)
        match message.get("event"):
            case "collection.changed":
                return [_payment(message.get("collection"))]
            case "refund.changed":
                refund = require_object(message.get("refund"))
                return [
                    RefundTold(
                        text_of(refund, "collection"), text_of(refund, "id"), text_of(refund, "reference")
                    )
                ]
        return []


def _payment(value: Json) -> PaymentTold:
    told = Collection.of(value)
    # Whoever settles compares it with our own row. What did not come about is asked for.
    is_paid = told.status == "paid" and told.paid is not None
    return PaymentTold(
        told.reference,
        payment_id=told.payment_id,
        answer=Paid(told.paid, told.receipt, told.fee) if is_paid else None,
        tenant=told.tenant,
    )
