"""A sandbox for this room, and clients that speak to it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import pytest

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from core.phone import Phone
from integrations.http import Call, open_client
from integrations.mpesa.client import MpesaClient
from integrations.mpesa.messages import MpesaCredentials, ShortCode
from integrations.mpesa.operating import Operator
from integrations.mpesa.tokens import ProcessTokens
from integrations.protocol import Intent, Question
from integrations.sandbox import daraja_keys, demo
from tests.sandbox import RunningSandbox, running_sandbox

DEMO_KEYS = MpesaCredentials(demo.DEMO_CONSUMER_KEY, demo.DEMO_CONSUMER_SECRET, demo.DEMO_PASSKEY)
PAYBILL = ShortCode.paybill(demo.DEMO_PAYBILL)
TILL = ShortCode.till(demo.DEMO_TILL, demo.DEMO_TILL_HEAD_OFFICE)
PROMPT = Intent(
    payment_id=outside(Kind.PAYMENT, new_id()),
    tenant=outside(Kind.TENANT, new_id()),
    attempt_key="attempt-1",
    phone=Phone.parse("+254700000001"),
    amount=Money(150_000, Currency.KES),
    reference="INV1042",
    description="Order 1042",
    callback_url="http://127.0.0.1:9/hooks/a/b",
)

MakeClient = Callable[..., MpesaClient]


@pytest.fixture(scope="session")
async def shared_sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def sandbox(shared_sandbox: RunningSandbox) -> RunningSandbox:
    await shared_sandbox.reset()
    return shared_sandbox


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(httpx.Timeout(connect=2, read=0.5, write=2, pool=2)) as client:
        yield client


@pytest.fixture
def calls() -> list[Call]:
    return []


@pytest.fixture
def make_client(sandbox: RunningSandbox, http: httpx.AsyncClient, calls: list[Call]) -> MakeClient:
    async def log(call: Call) -> None:
        calls.append(call)

    def make(
        credentials: MpesaCredentials = DEMO_KEYS,
        short_code: ShortCode = PAYBILL,
        base_url: str | None = None,
        operator_password: str | None = demo.DEMO_INITIATOR_PASSWORD,
    ) -> MpesaClient:
        return MpesaClient(
            credentials,
            short_code,
            base_url=base_url or sandbox.mpesa_url,
            http=http,
            tokens=ProcessTokens(utc_now),
            clock=utc_now,
            log=log,
            operator=None
            if operator_password is None
            else Operator(demo.DEMO_INITIATOR, operator_password, daraja_keys.CERTIFICATE),
        )

    return make


@pytest.fixture
def client(make_client: MakeClient) -> MpesaClient:
    return make_client()


def prompt_of(**changes: object) -> Intent:
    return replace(PROMPT, **changes)  # type: ignore[arg-type] # each test names fields of a Prompt


def question_about(provider_reference: str) -> Question:
    return Question(provider_reference, PROMPT.amount, PROMPT.payment_id, PROMPT.tenant)
