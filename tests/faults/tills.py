"""Tills that go on selling while processes die under them, as a careful client would."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.api import Api
from tests.paying import ENDED

ACCEPTED_WITHIN_S: Final = 90.0
WATCHED_S: Final = 3.0
RETRY_S: Final = 0.2
REPEATED_SHARE: Final = 0.2
"""Of the accepted requests that are sent once more, as after an answer that got lost."""
MAY_BE_REPEATED: Final = {"IDEMPOTENCY_IN_PROGRESS", "RATE_LIMITED"}
PAY: Final = """
mutation($input: InitiatePaymentInput!) {
  initiatePayment(input: $input) {
    __typename
    ... on InitiatePaymentSuccess { payment { id reference } }
    ... on Error { code message }
  }
}
"""
STATUS: Final = "query($id: ID!) { payment(id: $id) { status } }"


@dataclass(frozen=True, slots=True)
class Customer:
    """One payment to be made."""

    number: int
    phone: str
    shillings: int
    outcome: str | Mapping[str, Any]
    """What the sandbox's payer does."""

    @property
    def key(self) -> str:
        return f"order-{self.number}"


@dataclass(slots=True)
class Tills:
    """Serves customers through the public API, and keeps what it was answered."""

    api: Api
    channel_id: str
    chance: random.Random
    answers: dict[str, set[str]] = field(default_factory=dict)
    """The ids of payments that each idempotency key was answered with."""
    setbacks: Counter[str] = field(default_factory=Counter)
    """Why requests had to be repeated."""
    accepted: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def sell(self, customers: list[Customer], tills: int) -> None:
        """Serve all customers; each till serves one after the other."""
        async with asyncio.TaskGroup() as group:
            for till in range(tills):
                group.create_task(self._serve(customers[till::tills]))

    async def until_accepted(self, count: int) -> None:
        async with self.accepted:
            await self.accepted.wait_for(lambda: len(self.answers) >= count)

    async def _serve(self, customers: list[Customer]) -> None:
        for customer in customers:
            payment_id = await self._pay(customer)
            async with self.accepted:
                self.answers.setdefault(customer.key, set()).add(payment_id)
                self.accepted.notify_all()
            if self.chance.random() < REPEATED_SHARE:
                self.answers[customer.key].add(await self._pay(customer))
            await self._watch(payment_id)

    async def _pay(self, customer: Customer) -> str:
        """Ask until an answer comes, always with the same key."""
        wanted = {
            "idempotencyKey": customer.key,
            "channelId": self.channel_id,
            "phone": customer.phone,
            "amount": {"amountMinor": str(customer.shillings * 100), "currency": "KES"},
            "description": "Under fire",
            "orderReference": customer.key,
        }
        async with asyncio.timeout(ACCEPTED_WITHIN_S):
            while True:
                data = await self._asked(PAY, input=wanted)
                if data is not None:
                    result = data["initiatePayment"]
                    if result["__typename"] == "InitiatePaymentSuccess":
                        return str(result["payment"]["id"])
                    assert result["code"] in MAY_BE_REPEATED, result
                    self.setbacks[result["code"]] += 1
                await asyncio.sleep(RETRY_S)

    async def _watch(self, payment_id: str) -> None:
        """Look at the payment as a cashier does, for a while."""
        try:
            async with asyncio.timeout(WATCHED_S):
                while not await self._has_ended(payment_id):  # noqa: ASYNC110 - a cashier looks now and then
                    await asyncio.sleep(RETRY_S)
        except TimeoutError:
            self.setbacks["customer went on waiting"] += 1

    async def _has_ended(self, payment_id: str) -> bool:
        data = await self._asked(STATUS, id=payment_id)
        return data is not None and data["payment"]["status"] in ENDED

    async def _asked(self, query: str, **variables: object) -> dict[str, Any] | None:
        """The data; None where there was an outage, which is counted."""
        try:
            response = await self.api.raw(query, **variables)
            body = response.json()
        except (httpx.TransportError, ValueError) as error:
            self.setbacks[type(error).__name__] += 1
            return None
        if "errors" in body:
            self.setbacks[body["errors"][0]["extensions"]["code"]] += 1
            return None
        data: dict[str, Any] = body["data"]
        return data
