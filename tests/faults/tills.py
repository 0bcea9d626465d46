"""Tills that go on selling while processes die under them, as a careful client would."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.api import Api
from tests.faults.places import Place
from tests.paying import ENDED

ACCEPTED_WITHIN_S: Final = 90.0
LOOK_EVERY_S: Final = 0.5
RETRY_FIRST_S: Final = 0.2
RETRY_MAX_S: Final = 2.0
"""Doubled up to it: dozens of tills that knock all the time keep a server from coming back."""
REPEATED_SHARE: Final = 0.2
"""Of the accepted requests that are sent once more, as after an answer that got lost."""
REFUNDED_SHARE: Final = 0.25
"""Of the payments that a cashier saw succeed."""
PROGRESS_EVERY: Final = 100
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
REFUND: Final = """
mutation($input: RefundPaymentInput!) {
  refundPayment(input: $input) {
    __typename
    ... on RefundPaymentSuccess { refund { id } }
    ... on Error { code message }
  }
}
"""
STATUS: Final = "query($id: ID!) { payment(id: $id) { status } }"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Customer:
    """One payment to be made."""

    number: int
    place: Place
    phone: str
    shillings: int
    outcome: str | Mapping[str, Any] | None = None
    """What the sandbox's payer does on this phone; others take what is planned next."""

    @property
    def key(self) -> str:
        return f"order-{self.number}"


@dataclass(slots=True)
class Tills:
    """Serves customers through the public API, and keeps what it was answered."""

    api: Api
    chance: random.Random
    watched_s: float
    """How long a customer is waited for. A till serves no other meanwhile: a slow machine is sold less."""
    answers: dict[str, set[str]] = field(default_factory=dict)
    """The ids of payments that each idempotency key was answered with."""
    refunds: dict[str, set[str]] = field(default_factory=dict)
    """The ids of refunds, in the same way."""
    setbacks: Counter[str] = field(default_factory=Counter)
    """Why requests had to be repeated."""
    accepted: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def sell(self, customers: list[Customer], tills: int) -> None:
        """Serve all customers; each till serves one after the other."""
        async with asyncio.TaskGroup() as group:
            for till in range(tills):
                group.create_task(self._serve(customers[till::tills]))

    async def give_back_later(self, customers: list[Customer]) -> None:
        """Refunds to customers who were served before, all at once; whose payment failed gets none."""
        async with asyncio.TaskGroup() as group:
            for customer in customers:
                if customer.key not in self.refunds and not customer.place.is_phone:
                    group.create_task(self._return(customer))

    async def _return(self, customer: Customer) -> None:
        (payment_id,) = self.answers[customer.key]
        if await self._watch(payment_id):
            await self._give_back(customer, payment_id)

    async def until_accepted(self, count: int) -> None:
        async with self.accepted:
            await self.accepted.wait_for(lambda: len(self.answers) >= count)

    async def _serve(self, customers: list[Customer]) -> None:
        for customer in customers:
            payment_id = await self._pay(customer)
            async with self.accepted:
                self.answers.setdefault(customer.key, set()).add(payment_id)
                self.accepted.notify_all()
            if len(self.answers) % PROGRESS_EVERY == 0:
                log.info("%d payments accepted, %d refunds", len(self.answers), len(self.refunds))
            if self.chance.random() < REPEATED_SHARE:
                self.answers[customer.key].add(await self._pay(customer))
            is_paid = await self._watch(payment_id)
            # Reversals at M-Pesa need an operator, whom the demo's channel has not.
            if is_paid and not customer.place.is_phone and self.chance.random() < REFUNDED_SHARE:
                await self._give_back(customer, payment_id)

    async def _pay(self, customer: Customer) -> str:
        """Ask until an answer comes, always with the same key."""
        wanted = {
            "idempotencyKey": customer.key,
            "phone": customer.phone,
            "amount": {"amountMinor": str(customer.shillings * 100), "currency": "KES"},
            "description": "Under fire",
            "orderReference": customer.key,
            **customer.place.chosen_by,
        }
        payment: dict[str, Any] = (await self._done(PAY, "initiatePayment", wanted))["payment"]
        return str(payment["id"])

    async def _give_back(self, customer: Customer, payment_id: str) -> None:
        """A part of it; sometimes asked twice, as after an answer that got lost."""
        wanted = {
            "idempotencyKey": f"refund-{customer.key}",
            "paymentId": payment_id,
            "reason": "Under fire",
            "amount": {"amountMinor": str(100 * (1 + customer.shillings // 3)), "currency": "KES"},
        }
        for _ in range(2 if self.chance.random() < REPEATED_SHARE else 1):
            made = await self._done(REFUND, "refundPayment", wanted)
            self.refunds.setdefault(customer.key, set()).add(str(made["refund"]["id"]))

    async def _done(self, mutation: str, name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """What a mutation gave in the end: sent until an answer comes."""
        pause_s = RETRY_FIRST_S
        async with asyncio.timeout(ACCEPTED_WITHIN_S):
            while True:
                data = await self._asked(mutation, input=wanted)
                if data is not None:
                    result: dict[str, Any] = data[name]
                    if result["__typename"].endswith("Success"):
                        return result
                    assert result["code"] in MAY_BE_REPEATED, result
                    self.setbacks[result["code"]] += 1
                await asyncio.sleep(pause_s)
                pause_s = min(RETRY_MAX_S, 2 * pause_s)

    async def _watch(self, payment_id: str) -> bool:
        """Look at the payment as a cashier does, for a while; whether it was seen to succeed."""
        try:
            async with asyncio.timeout(self.watched_s):
                while True:
                    status = await self._status(payment_id)
                    if status in ENDED:
                        return status == "SUCCEEDED"
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            self.setbacks["customer went on waiting"] += 1
            return False

    async def _status(self, payment_id: str) -> str | None:
        data = await self._asked(STATUS, id=payment_id)
        return None if data is None else str(data["payment"]["status"])

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
