"""Accounts and clients that speak to Paystack's sandbox."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from core.clock import utc_now
from core.collecting import ActionKind, Method
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from core.phone import Phone
from integrations.account import Account, Outside
from integrations.http import Call
from integrations.mpesa.tokens import ProcessTokens
from integrations.paystack.building import paystack_client
from integrations.paystack.client import PaystackClient
from integrations.protocol import Accepted, Intent, Question, RefundRequest, StillPending
from integrations.sandbox import demo
from tests.sandbox import RunningSandbox

PAYSTACK = "paystack"
TENANT = outside(Kind.TENANT, new_id())
PHONE = Phone.parse("+254700000001")
KES_1500 = Money(150_000, Currency.KES)
FEE = Money(2_250, Currency.KES)
ALIASES = "pay.example.com"


@dataclass
class Watch:
    """A clock that may be ahead."""

    later: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return utc_now() + self.later


@dataclass
class Desk:
    """One client, its sandbox, its clock and the calls it made."""

    client: PaystackClient
    sandbox: RunningSandbox
    calls: list[Call]
    watch: Watch

    async def plan(self, *outcomes: str | dict[str, object]) -> None:
        await self.sandbox.plan(PAYSTACK, *outcomes)

    async def release(self, **which: str) -> None:
        """Payers act, refunds end, everything is told."""
        await self.sandbox.release_webhooks(PAYSTACK, **which)

    async def rows(self, name: str) -> list[dict[str, Any]]:
        """`paid`, `refunded` or `webhooks` of the sandbox's book."""
        rows: list[dict[str, Any]] = (await self.sandbox.book_of(PAYSTACK))[name]
        return rows

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.calls]


def account_of(base_url: str, **changes: object) -> Account:
    account = Account(
        provider=PAYSTACK,
        base_url=base_url,
        paths={},
        details={"public_key": demo.DEMO_PAYSTACK_PUBLIC_KEY},
        secrets={"secret_key": demo.DEMO_PAYSTACK_SECRET_KEY},
        settings={"alias_email_domain": ALIASES},
    )
    return replace(account, **changes)  # type: ignore[arg-type] # fields of an Account


MakeDesk = Callable[..., Desk]


@pytest.fixture
def make_desk(sandbox: RunningSandbox, http: httpx.AsyncClient) -> MakeDesk:
    def make(base_url: str | None = None, **changes: object) -> Desk:
        calls: list[Call] = []
        watch = Watch()

        async def log(call: Call) -> None:
            calls.append(call)

        account = account_of(base_url or sandbox.url_of(PAYSTACK), **changes)
        client = paystack_client(account, Outside(http, ProcessTokens(utc_now), watch.now), log)
        return Desk(client, sandbox, calls, watch)

    return make


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk()


def prompt_of(**changes: object) -> Intent:
    """A payment by M-Pesa, prompted at once."""
    id_ = new_id()
    intent = Intent(
        payment_id=outside(Kind.PAYMENT, id_),
        tenant=TENANT,
        attempt_key=str(id_),
        amount=KES_1500,
        reference="INV1042",
        description="Order 1042",
        phone=PHONE,
        email="jane@example.com",
        return_url="https://shop.example.com/r/1042",
    )
    return replace(intent, **changes)  # type: ignore[arg-type] # fields of an Intent


def page_of(**changes: object) -> Intent:
    """A payment by card, on a hosted page."""
    return prompt_of(**{"method": Method.CARD, **changes})


def question_of(intent: Intent) -> Question:
    return Question(intent.attempt_key, intent.amount, intent.payment_id, intent.tenant)


def refund_of(intent: Intent, minor: int | None = None, receipt: str | None = None) -> RefundRequest:
    amount = intent.amount if minor is None else Money(minor, intent.amount.currency)
    return RefundRequest(outside(Kind.REFUND, new_id()), question_of(intent), amount, receipt, "Returned")


def step_of(accepted: Accepted) -> ActionKind | None:
    assert isinstance(accepted.answer, StillPending)
    action = accepted.answer.next_action
    return None if action is None else action.kind
