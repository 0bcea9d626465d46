"""What the adapter sends and the sandbox answers, held against the field tables of the sheet."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.clock import utc_now
from core.currency import Currency
from core.money import Money
from core.phone import Phone
from integrations.account import Outside
from integrations.errors import ProviderError
from integrations.http import ignore_call, open_client
from integrations.mpesa.tokens import ProcessTokens
from integrations.paystack.building import paystack_client
from integrations.paystack.client import PaystackClient
from integrations.protocol import Intent, PayerStep
from integrations.sandbox import demo
from tests.integrations.paystack.conftest import (
    PAYSTACK,
    TENANT,
    Desk,
    account_of,
    page_of,
    prompt_of,
    question_of,
    refund_of,
)
from tests.integrations.scripted import scripted_server
from tests.sandbox import RunningSandbox
from tests.wire.recording import Recorder, misfits, read_schema

SCHEMA = "paystack_calls"
OUTCOMES = [
    "success",
    "declined",
    "otp",
    "open_url",
    "paid_at_once",
    "failed_at_once",
    "abandoned",
    "reversed",
]
TOLD = ["metadata_text", "metadata_blank", "metadata_null", "id_as_text", "fees_passed_on", "underpaid"]
REFUSED = ["busy", "invalid_key", "forbidden", "unprocessable", "server_error_before_acceptance"]
SETTINGS: list[tuple[dict[str, object], Intent]] = [
    ({}, page_of()),
    ({}, page_of(email=None, return_url=None)),
    ({"mpesa_phone_prefix": ""}, prompt_of()),
    ({"mpesa_provider": "mpesa_offline"}, prompt_of()),
    ({"mpesa_provider": "mptill", "till_number": "5100001"}, prompt_of()),
    (
        {"ghana_networks": {"23324": "mtn"}},
        prompt_of(phone=Phone.parse("+233241234567"), amount=Money(2_000, Currency.GHS)),
    ),
    ({}, page_of(amount=Money(500, Currency.XOF))),
]


def client_of(sandbox: RunningSandbox, http: httpx.AsyncClient, **settings: object) -> PaystackClient:
    account = account_of(
        sandbox.url_of(PAYSTACK), settings={"alias_email_domain": "pay.example.com", **settings}
    )
    return paystack_client(account, Outside(http, ProcessTokens(utc_now), utc_now), ignore_call)


async def attempt(client: PaystackClient, intent: Intent) -> None:
    """Create, ask, and ask again by the other way; refusals are answers, too."""
    with suppress(ProviderError):
        await client.create_payment(intent)
    await client.query_payment(question_of(intent))
    await client.recover_payment(intent)


async def test_every_call_fits_the_sheet(sandbox: RunningSandbox) -> None:
    recorder = Recorder()
    async with open_client() as http:
        recorder.listen(http)
        client = client_of(sandbox, http)
        for outcome in [*OUTCOMES, *TOLD, *REFUSED]:
            await sandbox.plan(PAYSTACK, outcome)
            intent = prompt_of()
            await attempt(client, intent)
            await sandbox.release_webhooks(PAYSTACK)
            await client.query_payment(question_of(intent))
        for settings, intent in SETTINGS:
            await attempt(client_of(sandbox, http, **settings), intent)
        await submit(sandbox, client)
        await give_back(sandbox, client)
        await client.prove_keys()
        async for _ in client.list_payments(utc_now() - timedelta(days=1), utc_now()):
            pass

    assert recorder.complaints(SCHEMA) == []
    heard = {exchange.path.removeprefix("/paystack").split("/")[1] for exchange in recorder.exchanges}
    assert heard == {"charge", "transaction", "refund", "balance"}


async def submit(sandbox: RunningSandbox, client: PaystackClient) -> None:
    for step in ("otp", "pin", "phone", "birthday", "address"):
        await sandbox.plan(PAYSTACK, step)
        intent = prompt_of()
        await client.create_payment(intent)
        for entered in ("wrong", "1990-01-31"):
            await client.confirm_payment(question_of(intent), PayerStep({step: entered}))


async def give_back(sandbox: RunningSandbox, client: PaystackClient) -> None:
    intent = prompt_of()
    await client.create_payment(intent)
    await sandbox.release_webhooks(PAYSTACK)
    for outcome in ("success", "refund_failed", "refund_needs_attention", "refund_processing"):
        await sandbox.plan(PAYSTACK, {"kind": outcome, "operation": "refund"})
        refund = refund_of(intent, 1_000)
        ordered = await client.refund_payment(refund)
        await sandbox.release_webhooks(PAYSTACK)
        await client.query_refund(refund, ordered.provider_reference)
        await client.query_refund(refund, None)
    with pytest.raises(ProviderError):
        await client.refund_payment(refund_of(intent, 10_000_000))


async def test_every_webhook_fits_the_sheet(desk: Desk) -> None:
    schema = read_schema(SCHEMA)
    async with scripted_server() as server:
        await desk.sandbox.register_webhook(PAYSTACK, key=demo.DEMO_PAYSTACK_SECRET_KEY, url=server.url)
        await desk.plan("charge_failed_webhook", "success")
        intents = [prompt_of(), prompt_of(tenant=TENANT)]
        for intent in intents:
            await desk.client.create_payment(intent)
        await desk.release()
        paid = intents[1].attempt_key
        for outcome in ("success", "refund_failed", "refund_needs_attention"):
            await desk.plan({"kind": outcome, "operation": "refund"})
            await desk.client.refund_payment(refund_of(intents[1], 1_000))
        dispute = (await desk.sandbox.control("paystack/dispute", reference=paid))["id"]
        await desk.sandbox.control("paystack/dispute_remind", id=dispute)
        await desk.sandbox.control("paystack/dispute_resolve", id=dispute, resolution="declined")
        await desk.release()
        messages = [body for _, body in server.received]

    assert [fault for body in messages for fault in misfits(schema, {"$ref": "#/$defs/event"}, body)] == []
    events = {body["event"] for body in messages}
    assert {"charge.success", "charge.failed", "refund.processed", "refund.needs-attention"} <= events
    assert {f"charge.dispute.{step}" for step in ("create", "remind", "resolve")} <= events


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 1500.5},
        {"amount": "150000"},
        {"email": ""},
        {"reference": "a_b"},
        {"currency": "EUR"},
        {"mobile_money": {"phone": "0700000001", "provider": "mpesa"}},
        {"description": "not in the table"},
    ],
)
def test_the_table_has_teeth(change: dict[str, Any]) -> None:
    schema = read_schema(SCHEMA)
    charge = next(call for call in schema["calls"] if call["path"] == "/charge$")
    body: dict[str, Any] = {
        "email": "jane@example.com",
        "amount": 150_000,
        "currency": "KES",
        "reference": "pay-01HF3X",
        "metadata": {"payment_id": "pay_01HF3X", "tenant": "t_9"},
        "mobile_money": {"phone": "+254700000001", "provider": "mpesa"},
    }
    headers = {"authorization": "Bearer sk_test_x", "content-type": "application/json"}

    def judged(sent: dict[str, Any]) -> list[str]:
        return misfits(schema, charge["request"], {"headers": headers, "query": {}, "body": sent})

    assert judged(body) == []
    assert judged({**body, **change}) != []
