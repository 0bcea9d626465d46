"""Where a business collects: its M-Pesa channel, and an account of its own at every other provider."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from core.ids import Kind, inside, outside
from integrations.sandbox import demo
from tests.api import Api
from tests.running import Running

PROVEN_WITHIN_S: Final = 60.0
POLL_S: Final = 0.1
KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "stripe": {
        "secret_key": demo.DEMO_STRIPE_SECRET_KEY,
        "publishable_key": demo.DEMO_STRIPE_PUBLISHABLE_KEY,
        "webhook_secret": demo.DEMO_STRIPE_WEBHOOK_SECRET,
    },
    "paystack": {"secret_key": demo.DEMO_PAYSTACK_SECRET_KEY, "public_key": demo.DEMO_PAYSTACK_PUBLIC_KEY},
    "flutterwave": {
        "secret_key": demo.DEMO_FLUTTERWAVE_SECRET_KEY,
        "public_key": demo.DEMO_FLUTTERWAVE_PUBLIC_KEY,
        "webhook_hash": demo.DEMO_FLUTTERWAVE_WEBHOOK_HASH,
    },
}
PROVEN: Final = "query($id: ID!) { providerAccount(id: $id) { isProven lastTestError } }"

ON_THE_WAY: Final[Mapping[str, int]] = {
    "success": 40,
    "busy": 3,
    "html": 2,
    "html_before_acceptance": 1,
    "server_error_before_acceptance": 2,
    "server_error_after_acceptance": 3,
    "unavailable_before_acceptance": 1,
    "unavailable_after_acceptance": 2,
    "reset_before_acceptance": 2,
    "reset_after_acceptance": 3,
    "duplicate_webhook": 6,
    "late_webhook": 5,
    "withheld_webhook": 4,
    "missing_webhook": 6,
    "tampered_amount": 2,
    "wrong_currency": 2,
    "bad_signature": 3,
    "contradicting_webhook": 2,
    "webhook_before_response": 6,
    "query_pending": 2,
}
"""What goes wrong between us and every provider but M-Pesa, and how often."""
HANGING: Final[Mapping[str, int]] = {"timeout_before_acceptance": 1, "timeout_after_acceptance": 2}
"""Each keeps its caller for most of a minute: for long runs only."""
PAYERS: Final[Mapping[str, Mapping[str, int]]] = {
    "stripe": {
        "card_declined": 5,
        "insufficient_funds": 3,
        "declined_then_paid": 4,
        "processing_then_paid": 4,
    },
    "paystack": {"insufficient_funds": 5, "charge_failed_webhook": 3, "unknown_at_first": 2},
    "flutterwave": {"insufficient_funds": 5, "cancelled": 3, "failed_then_paid": 4},
}
REFUNDS: Final[Mapping[str, Mapping[str, int]]] = {
    "stripe": {
        "refund_succeeds": 6,
        "refund_pending": 3,
        "refund_failed": 2,
        "refund_fails_later": 2,
        "reset_after_acceptance": 2,
        "reset_before_acceptance": 1,
        "server_error_after_acceptance": 1,
    },
    "paystack": {"refund_at_once": 4, "success": 4, "refund_failed": 2, "reset_after_acceptance": 2},
    "flutterwave": {
        "refund_successful": 4,
        "success": 4,
        "refund_disburse_failed": 2,
        "reset_after_acceptance": 2,
    },
}

LATE_PAYERS: Final = frozenset({"contradicting_webhook", "insufficient_funds", "failed_then_paid"})
LATE_REFUNDS: Final = frozenset({"reset_after_acceptance", "server_error_after_acceptance"})
"""Decided by questions that are ten seconds and more apart: for long runs only, as what hangs."""


@dataclass(frozen=True, slots=True)
class Place:
    """One channel or account, as the API takes it."""

    provider: str
    chosen_by: Mapping[str, str]
    """What `initiatePayment` is told to collect there."""
    holding: str
    """The TypeID in the codes of its ledger accounts."""

    @property
    def is_phone(self) -> bool:
        return self.provider == "mpesa"


async def open_places(running: Running, api: Api, sandbox: httpx.AsyncClient) -> list[Place]:
    """The demo's channel, and an account at each other provider: configured, proven, enabled over the API."""
    channel_id, store_id = running.demo["channel_id"], running.demo["store_id"]
    places = [Place("mpesa", {"channelId": channel_id}, channel_id)]
    for provider, keys in KEYS.items():
        made = await api.succeed(
            "configureProvider",
            "webhookUrl providerAccount { id }",
            provider=provider,
            environment="SANDBOX",
            configuration=keys,
        )
        id_ = made["providerAccount"]["id"]
        (
            await sandbox.post(f"/_control/{provider}/webhook", json={"url": made["webhookUrl"]})
        ).raise_for_status()
        await _proven(api, id_)
        await api.succeed("enableProviderAccount", "providerAccount { id }", "ProviderAccountInput", id=id_)
        chosen_by = {
            "providerAccountId": id_,
            "storeId": store_id,
            "method": "CARD",
            "customerEmail": "jane@example.com",
            "returnUrl": "https://shop.example.com/thanks",
        }
        places.append(
            Place(provider, chosen_by, outside(Kind.PROVIDER_ACCOUNT, inside(Kind.PROVIDER_ACCOUNT, id_)))
        )
    return places


async def _proven(api: Api, id_: str) -> None:
    """Wait until a real call with the keys has succeeded."""
    async with asyncio.timeout(PROVEN_WITHIN_S):
        while True:
            found = (await api.ask(PROVEN, id=id_))["providerAccount"]
            if found["isProven"]:
                return
            await asyncio.sleep(POLL_S)


async def plan_weather(
    sandbox: httpx.AsyncClient, provider: str, chance: random.Random, calls: int, *, hangs: int
) -> None:
    """What the next calls of an account come to, in the order they will arrive; `hangs` of them hang.

    Where none hangs, nothing else takes long.
    """
    late_payers, late_refunds = (frozenset(), frozenset()) if hangs else (LATE_PAYERS, LATE_REFUNDS)
    outcomes: list[Any] = _drawn(chance, {**ON_THE_WAY, **PAYERS[provider]}, calls - hangs, but=late_payers)
    outcomes += _drawn(chance, HANGING, hangs)
    chance.shuffle(outcomes)
    refunds = _drawn(chance, REFUNDS[provider], calls, but=late_refunds)
    outcomes += [{"kind": kind, "operation": "refund"} for kind in refunds]
    response = await sandbox.post(f"/_control/{provider}/next", json={"outcomes": outcomes})
    assert response.status_code == 200, response.text


def _drawn(
    chance: random.Random, kinds: Mapping[str, int], count: int, *, but: frozenset[str] = frozenset()
) -> list[str]:
    weights = {kind: weight for kind, weight in kinds.items() if kind not in but}
    return chance.choices(list(weights), list(weights.values()), k=count)
