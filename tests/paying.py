"""A shop's till over the public API."""

import asyncio
import secrets
from contextlib import aclosing
from typing import Any, Final

from tests.api import Api

ENDED: Final = {"SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED"}
WATCH: Final = "subscription($id: ID!) { paymentUpdated(id: $id) { id status receipt version } }"
SETTLED_WITHIN_S: Final = 60.0


def any_phone() -> str:
    """A number that was hardly asked before: a phone gets few prompts."""
    return f"+2547{secrets.randbelow(10**8):08}"


async def pay(api: Api, channel_id: str, shillings: int = 25, phone: str | None = None) -> str:
    """Ask a phone for money; gives the payment's id."""
    made = await api.succeed(
        "initiatePayment",
        "payment { id }",
        idempotencyKey=secrets.token_hex(8),
        channelId=channel_id,
        phone=phone or any_phone(),
        amount={"amountMinor": str(shillings * 100), "currency": "KES"},
        description="Till 1",
    )
    return str(made["payment"]["id"])


async def ending(api: Api, payment_id: str) -> dict[str, Any]:
    """The payment once it has ended; a stream that ends before it is opened again, as clients do."""
    async with asyncio.timeout(SETTLED_WITHIN_S):
        while True:
            async with aclosing(api.stream(WATCH, id=payment_id)) as events:
                async for event in events:
                    payment: dict[str, Any] = event["paymentUpdated"]
                    if payment["status"] in ENDED:
                        return payment
