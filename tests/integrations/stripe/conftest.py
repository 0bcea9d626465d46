"""An account of Stripe's sandbox for each test, its adapter, and a place that takes its webhooks."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, settings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.clock import Clock, utc_now
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from integrations.account import Account, Outside
from integrations.http import Call, open_client
from integrations.mpesa.tokens import ProcessTokens
from integrations.protocol import Accepted, Intent, Question, RefundRequest
from integrations.registry import adapter_for, integration_for
from integrations.stripe.client import StripeClient
from integrations.webhooks import BadSignature, ProviderEvent, Webhook
from tests.sandbox import RunningSandbox, serving
from tests.wire.recording import Recorder

WEBHOOK_SECRET = "whsec_of_this_test"
RETURN_URL = "https://shop.example.com/back?order=1"
CALM = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a loaded machine is no failure."""
TENANT = outside(Kind.TENANT, new_id())


@dataclass(slots=True)
class Stripe:
    """One account: its adapter, and the sandbox that answers it."""

    key: str
    sandbox: RunningSandbox
    adapter: StripeClient
    hasty: StripeClient
    """The same, for answers that never come."""
    build: Callable[..., StripeClient]
    calls: list[Call]

    async def plan(self, *outcomes: str | dict[str, Any]) -> None:
        await self.sandbox.plan("stripe", *outcomes, key=self.key)

    async def settle(self, accepted: Accepted) -> None:
        """Let the payer take the next step, and all of it be told."""
        await self.sandbox.release_webhooks("stripe", reference=accepted.provider_reference)

    async def act(self, accepted: Accepted, outcome: str) -> None:
        await self.sandbox.control("stripe/act", reference=accepted.provider_reference, outcome=outcome)

    async def paid(self) -> list[dict[str, Any]]:
        """The oracle's, of this account."""
        return [row for row in (await self.sandbox.book_of("stripe"))["paid"] if row["key"] == self.key]

    async def refunded(self) -> list[dict[str, Any]]:
        return [row for row in (await self.sandbox.book_of("stripe"))["refunded"] if row["key"] == self.key]


@pytest.fixture(scope="session")
async def wire() -> AsyncIterator[tuple[httpx.AsyncClient, Recorder]]:
    recorder = Recorder()
    async with open_client() as client:
        recorder.listen(client)
        yield client, recorder


@pytest.fixture(scope="session")
async def hasty_http() -> AsyncIterator[httpx.AsyncClient]:
    """For answers that never come."""
    async with open_client(httpx.Timeout(connect=2, read=0.4, write=2, pool=2)) as client:
        yield client


@pytest.fixture
async def stripe(
    shared_sandbox: RunningSandbox,
    wire: tuple[httpx.AsyncClient, Recorder],
    hasty_http: httpx.AsyncClient,
) -> AsyncIterator[Stripe]:
    client, recorder = wire
    recorder.exchanges.clear()
    calls: list[Call] = []

    async def log(call: Call) -> None:
        calls.append(call)

    def build(
        key: str = "",
        environment: str = "sandbox",
        clock: Clock = utc_now,
        http: httpx.AsyncClient = client,
        **changes: Any,  # noqa: ANN401 - fields of an Account
    ) -> StripeClient:
        account = Account(
            provider="stripe",
            base_url=shared_sandbox.url_of("stripe"),
            paths={},
            details={"publishable_key": "pk_test_of_this_test"},
            secrets={"secret_key": key or own_key, "webhook_secret": WEBHOOK_SECRET},
            environment=environment,
        )
        outside_ = Outside(http, ProcessTokens(clock), clock)
        adapter = adapter_for(replace(account, **changes), outside_, log)
        assert isinstance(adapter, StripeClient)
        return adapter

    own_key = f"sk_test_{uuid4().hex}"
    await shared_sandbox.register_webhook("stripe", key=own_key, secret=WEBHOOK_SECRET)
    yield Stripe(own_key, shared_sandbox, build(), build(http=hasty_http), build, calls)
    assert recorder.complaints("stripe_calls") == []


@dataclass(slots=True)
class Inbox:
    """Takes webhooks as the server would: authenticated by the scheme, else refused."""

    url: str = ""
    told: list[ProviderEvent] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    refused: int = 0


@pytest.fixture
async def inbox(stripe: Stripe) -> AsyncIterator[Inbox]:
    scheme, inbox = integration_for("stripe").webhooks, Inbox()
    assert scheme is not None

    async def take(request: Request) -> Response:
        webhook = Webhook(await request.body(), dict(request.headers))
        try:
            scheme.authenticate(webhook, [WEBHOOK_SECRET], utc_now())
        except BadSignature:
            inbox.refused += 1
            return Response(status_code=scheme.refusal_status)
        inbox.bodies.append(webhook.body)
        inbox.headers.append(request.headers["stripe-signature"])
        inbox.told.extend(scheme.read(webhook.body))
        return Response(status_code=200)

    async with serving(Starlette(routes=[Route("/", take, methods=["POST"])])) as url:
        inbox.url = f"{url}/"
        await stripe.sandbox.register_webhook("stripe", key=stripe.key, url=inbox.url)
        yield inbox


def intent_of(**changes: Any) -> Intent:  # noqa: ANN401 - fields of an Intent
    """A new attempt, other than every other."""
    intent = Intent(
        payment_id=outside(Kind.PAYMENT, new_id()),
        tenant=TENANT,
        attempt_key=f"att-{uuid4().hex}",
        amount=Money(1_500, Currency.USD),
        reference="INV1042",
        description="Order 1042",
        email="payer@example.com",
    )
    return replace(intent, **changes)


def question_of(intent: Intent, accepted: Accepted) -> Question:
    return Question(accepted.provider_reference, intent.amount, intent.payment_id, intent.tenant)


def refund_of(question: Question, minor: int, **changes: Any) -> RefundRequest:  # noqa: ANN401 - fields of a RefundRequest
    request = RefundRequest(
        refund_id=f"rfd_{uuid4().hex}",
        payment=question,
        amount=Money(minor, question.amount.currency),
        receipt=None,
        reason="requested_by_customer",
    )
    return replace(request, **changes)
