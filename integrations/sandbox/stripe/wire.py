"""Stripe's events: how they are written, signed and forged."""

import copy
import hashlib
import hmac
import secrets
from typing import Any, Final

from core.clock import Clock
from integrations.sandbox.accounts import Account
from integrations.sandbox.stripe.objects import is_live_key, seconds
from integrations.sandbox.webhooks import compact_json

API_VERSION: Final = "2026-10-28.endive"
AMOUNTS: Final = ("amount", "amount_received", "amount_capturable")


class StripeWire:
    """As `webhooks.Wire` says."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def write(self, body: dict[str, Any]) -> bytes:
        return compact_json(body)

    def sign(self, account: Account, body: bytes) -> dict[str, str]:
        """Time and signature are new for each try."""
        signed_at = seconds(self._clock())
        return {"stripe-signature": signature(body, account.webhook_secret, signed_at)}

    def forge(self, body: dict[str, Any], way: str) -> dict[str, Any]:
        forged = copy.deepcopy(body)
        thing = forged["data"]["object"]
        match way:
            case "tampered":
                thing |= {name: thing[name] + 100 for name in AMOUNTS if thing.get(name)}
            case "wrong_currency":
                thing["currency"] = other_currency(thing["currency"])
            case "contradicting":
                forged["id"] = new_event_id()
                _contradict(forged, thing)
        return forged


def event(
    kind: str, thing: dict[str, Any], key: str, now: int, request: dict[str, Any], **previous: object
) -> dict[str, Any]:
    """One event; `previous` are the attributes before an update."""
    data: dict[str, Any] = {"object": thing}
    if previous:
        data["previous_attributes"] = previous
    return {
        "id": new_event_id(),
        "object": "event",
        "api_version": API_VERSION,
        "created": now,
        "data": data,
        "livemode": thing.get("livemode", is_live_key(key)),
        "pending_webhooks": 1,
        "request": request or {"id": None, "idempotency_key": None},
        "type": kind,
    }


def signature(body: bytes, secret: str, signed_at: int) -> str:
    """The header `Stripe-Signature`, with the invented scheme beside the true one."""
    content = f"{signed_at}.".encode() + body
    made = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
    return f"t={signed_at},v1={made},v0={hashlib.sha256(content).hexdigest()}"


def other_currency(currency: str) -> str:
    return "usd" if currency != "usd" else "eur"


def new_event_id() -> str:
    return f"evt_1Q{secrets.token_hex(11)}"


def _contradict(forged: dict[str, Any], thing: dict[str, Any]) -> None:
    if forged["type"] == "payment_intent.succeeded":
        forged["type"] = "payment_intent.canceled"
        thing |= {"status": "canceled", "cancellation_reason": "automatic", "amount_received": 0}
    elif thing["object"] == "payment_intent":
        forged["type"] = "payment_intent.succeeded"
        thing |= {
            "status": "succeeded",
            "amount_received": thing["amount"],
            "latest_charge": f"ch_3Q{secrets.token_hex(11)}",
        }
    elif thing["object"] == "refund":
        forged["type"] = "refund.failed"
        thing["status"] = "failed"
