"""Flutterwave's webhooks: proven by a static secret in a header, so they are hints and never proofs.

Source: Flutterwave v3, section 7.
"""

import hashlib
import hmac
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from integrations.flutterwave.messages import id_of, meta_of, text_of
from integrations.webhooks import BadSignature, PaymentTold, ProviderEvent, RefundTold, Webhook
from integrations.wire_json import Json, read_object

HASH_HEADER: Final = "verif-hash"
HASH_SECRET: Final = "webhook_hash"  # noqa: S105 - the name of a secret
CHARGE_EVENT: Final = "charge.completed"
REFUND_EVENTS: Final = "refund."
"""[ASSUMED] How the name of a refund's event begins: no document lists them."""


@dataclass(frozen=True, slots=True)
class FlutterwaveWebhooks:
    """A WebhookScheme."""

    header_names: Sequence[str] = (HASH_HEADER,)
    secret_names: Sequence[str] = (HASH_SECRET,)
    refusal_status: int = 401
    secret_fields: AbstractSet[str] = frozenset({"token"})
    """With it and the secret key a card is charged again."""

    def authenticate(self, webhook: Webhook, secrets: Sequence[str], now: datetime) -> None:
        """Compare the header with the hash the tenant typed on the dashboard; the body is not signed.

        Raises:
            BadSignature: it is missing, empty or another, or no hash is configured.
        """
        given = webhook.headers.get(HASH_HEADER, "").encode(errors="backslashreplace")
        # Every hash is compared, so that the time tells nothing of which one fits.
        fits = [hmac.compare_digest(given, secret.encode()) for secret in secrets]
        if not given or not any(fits):
            raise BadSignature

    def external_id(self, body: bytes) -> str:
        """Event, id and status: a charge that failed first and then succeeded is told twice."""
        message = read_object(body)
        data = meta_of(message.get("data"))
        event, id_ = text_of(message.get("event")), id_of(data.get("id"))
        if not event or id_ is None:
            return f"body:{hashlib.sha256(body).hexdigest()}"
        return f"{event}:{id_}:{text_of(data.get('status')).lower()}"

    def read(self, body: bytes) -> Sequence[ProviderEvent]:
        """A reason to ask about a payment or a refund; transfers and the unknown concern nobody yet."""
        message = read_object(body)
        event, data = text_of(message.get("event")).lower(), meta_of(message.get("data"))
        if event == CHARGE_EVENT:
            return _payment(message, dict(data))
        if event.startswith(REFUND_EVENTS):
            return _refund(dict(data))
        return []


def _payment(message: dict[str, Json], data: dict[str, Json]) -> Sequence[ProviderEvent]:
    tx_ref, id_ = text_of(data.get("tx_ref")), id_of(data.get("id"))
    if not tx_ref:
        return []
    meta = meta_of(message.get("meta_data")) or meta_of(data.get("meta"))
    payment_id, tenant = text_of(meta.get("payment_id")), text_of(meta.get("tenant"))
    return [PaymentTold(tx_ref, id_, payment_id or None, tenant=tenant or None)]


def _refund(data: dict[str, Json]) -> Sequence[ProviderEvent]:
    id_ = id_of(data.get("id"))
    if id_ is None:
        return []
    comment = text_of(data.get("comments")) or text_of(data.get("comment"))
    # Without our reference, the transaction's id names the payment: it is its receipt.
    transaction_id = id_of(data.get("TransactionId")) or id_of(data.get("tx_id"))
    return [RefundTold(text_of(data.get("tx_ref")) or transaction_id, id_, comment or None)]
