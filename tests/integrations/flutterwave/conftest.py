"""Accounts and clients that speak to Flutterwave's sandbox."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import httpx
import pytest

from core.clock import utc_now
from core.collecting import Method
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from core.phone import Phone
from integrations.account import Account, Outside
from integrations.flutterwave.building import flutterwave_client
from integrations.flutterwave.client import FlutterwaveClient
from integrations.http import Call
from integrations.mpesa.tokens import ProcessTokens
from integrations.protocol import Intent, Question, RefundRequest
from integrations.sandbox import demo
from tests.integrations.scripted import Scripted, scripted_server
from tests.sandbox import RunningSandbox
from tests.wire.recording import Recorder

FLUTTERWAVE = "flutterwave"
TENANT = outside(Kind.TENANT, new_id())
PHONE = Phone.parse("+254700000001")
KES_1500 = Money(150_000, Currency.KES)


@dataclass
class Watch:
    """A clock that may be ahead."""

    later: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return utc_now() + self.later


@dataclass
class Desk:
    """One client, its sandbox, its clock and the calls it made."""

    client: FlutterwaveClient
    sandbox: RunningSandbox
    calls: list[Call]
    watch: Watch

    async def plan(self, *outcomes: str | dict[str, object]) -> None:
        await self.sandbox.plan(FLUTTERWAVE, *outcomes)

    async def release(self) -> None:
        """Payers act, refunds end, everything is told."""
        await self.sandbox.release_webhooks(FLUTTERWAVE)

    async def paid(self) -> list[dict[str, object]]:
        book = await self.sandbox.book_of(FLUTTERWAVE)
        rows: list[dict[str, object]] = book["paid"]
        return rows

    async def refunded(self) -> list[dict[str, object]]:
        book = await self.sandbox.book_of(FLUTTERWAVE)
        rows: list[dict[str, object]] = book["refunded"]
        return rows

    def operations(self) -> list[str]:
        return [call.operation for call in self.calls]


def account_of(base_url: str, **changes: object) -> Account:
    account = Account(
        provider=FLUTTERWAVE,
        base_url=base_url,
        paths={},
        details={"public_key": demo.DEMO_FLUTTERWAVE_PUBLIC_KEY},
        secrets={
            "secret_key": demo.DEMO_FLUTTERWAVE_SECRET_KEY,
            "webhook_hash": demo.DEMO_FLUTTERWAVE_WEBHOOK_HASH,
        },
    )
    return replace(account, **changes)  # type: ignore[arg-type] # fields of an Account


MakeDesk = Callable[..., Desk]


@pytest.fixture
def heard(http: httpx.AsyncClient) -> Iterator[Recorder]:
    """All that is said between adapter and sandbox fits the sheet, in every test."""
    recorder = Recorder()
    yield recorder
    http.event_hooks = {}
    assert recorder.complaints("flutterwave_calls") == []


@pytest.fixture
def make_desk(sandbox: RunningSandbox, http: httpx.AsyncClient, heard: Recorder) -> MakeDesk:
    def make(base_url: str | None = None, **changes: object) -> Desk:
        calls: list[Call] = []
        watch = Watch()
        if base_url is None:
            heard.listen(http)

        async def log(call: Call) -> None:
            calls.append(call)

        outside_world = Outside(http, ProcessTokens(utc_now), watch.now)
        account = account_of(base_url or sandbox.url_of(FLUTTERWAVE), **changes)
        return Desk(flutterwave_client(account, outside_world, log), sandbox, calls, watch)

    return make


@pytest.fixture(scope="session")
async def script() -> AsyncIterator[Scripted]:
    """A server that answers what a test says: set its `answers`."""
    async with scripted_server() as server:
        yield server


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
        payer_name="Jane Doe",
        return_url="https://shop.example.com/r/1042",
    )
    return replace(intent, **changes)  # type: ignore[arg-type] # fields of an Intent


def page_of(**changes: object) -> Intent:
    """A payment by card, on a hosted page."""
    return prompt_of(method=Method.CARD, **changes)


def question_of(intent: Intent, request_reference: str | None = None) -> Question:
    return Question(intent.attempt_key, intent.amount, intent.payment_id, intent.tenant, request_reference)


def refund_of(intent: Intent, receipt: str | None, minor: int | None = None) -> RefundRequest:
    amount = intent.amount if minor is None else Money(minor, intent.amount.currency)
    refund_id = outside(Kind.REFUND, new_id())
    return RefundRequest(refund_id, question_of(intent), amount, receipt, "Returned")
