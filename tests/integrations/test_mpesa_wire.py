"""What the adapter sends and the sandbox answers, held against the field tables of the sheet."""

from contextlib import suppress
from datetime import timedelta

import httpx
import pytest

from core.clock import utc_now
from core.phone import Phone
from integrations.errors import ProviderError
from integrations.http import open_client
from integrations.mpesa.client import MpesaClient
from integrations.mpesa.operating import Operator
from integrations.mpesa.tokens import ProcessTokens
from integrations.sandbox import daraja_keys, daraja_plans, demo
from integrations.sandbox.outcomes import RESULTS, WAYS
from tests.integrations.conftest import DEMO_KEYS, PAYBILL, TILL, prompt_of, question_about
from tests.integrations.scripted import Scripted, answer, scripted_server
from tests.integrations.test_mpesa_operator import refund_of
from tests.sandbox import RunningSandbox
from tests.wire.recording import Recorder, misfits, read_schema

SCHEMA = "mpesa_calls"
SLOW = ("timeout_before_acceptance", "timeout_after_acceptance", "reset_before_acceptance", "late_callback")

OFF_SHEET = ("rate_limited", "keyless_answer", "not_acknowledged", "malformed_callback")
"""What no sheet has, and an adapter must survive: the tables of outcomes hold it."""


def client_of(http: httpx.AsyncClient, sandbox: RunningSandbox, code: object = PAYBILL) -> MpesaClient:
    return MpesaClient(
        DEMO_KEYS,
        code,  # type: ignore[arg-type]  # a ShortCode
        base_url=sandbox.mpesa_url,
        http=http,
        tokens=ProcessTokens(utc_now),
        clock=utc_now,
        operator=Operator(demo.DEMO_INITIATOR, demo.DEMO_INITIATOR_PASSWORD, daraja_keys.CERTIFICATE),
    )


async def collect(client: MpesaClient, sandbox: RunningSandbox, listener: Scripted) -> None:
    """Every prompt's outcome, each asked about."""
    for outcome in (*RESULTS, *(way for way in WAYS if way not in (*SLOW, *OFF_SHEET))):
        await sandbox.control_next(outcome)
        with suppress(ProviderError):
            accepted = await client.create_payment(prompt_of(callback_url=f"{listener.url}/stk/a/b"))
            await client.query_payment(question_about(accepted.provider_reference))
    await sandbox.release()


async def operate(client: MpesaClient, sandbox: RunningSandbox, listener: Scripted) -> None:
    """Every outcome of an operator's requests, and a status in every shape."""
    receipt = str((await sandbox.pay_by_hand(demo.DEMO_PAYBILL, "1500", "254700000001", "INV1"))["receipt"])
    refund = refund_of(listener, receipt)
    for outcome in (
        *daraja_plans.RESULTS,
        *(way for way in daraja_plans.WAYS if way not in (*SLOW, *OFF_SHEET)),
    ):
        await sandbox.plan("mpesa", outcome, operation="reversal")
        with suppress(ProviderError):
            taken = await client.refund_payment(refund)
            await client.query_refund(refund, getattr(taken, "provider_reference", None))
    operator, url = client.operator(), f"{listener.url}/hooks/a/c"
    for shape in daraja_plans.SHAPES:
        await sandbox.plan("mpesa", {"operation": "transaction_status", "shape": shape})
        await operator.ask_status(url, receipt=receipt)
    await operator.ask_balance(url)
    await sandbox.release()


async def pull(client: MpesaClient) -> None:
    puller, now = client.puller(), utc_now()
    await puller.register(Phone.parse("+254700000001"), "https://pay.example.com/hooks/a")
    assert [row async for row in puller.payments(now - timedelta(hours=1), now + timedelta(hours=1))]
    assert not [row async for row in puller.payments(now - timedelta(hours=3), now - timedelta(hours=2))]


def told(listener: Scripted, path: str) -> list[object]:
    return [body for where, body in listener.received if where.startswith(path)]


async def test_all_that_is_sent_answered_and_told_fits_the_sheet(sandbox: RunningSandbox) -> None:
    recorder, schema = Recorder(), read_schema(SCHEMA)
    timeout = httpx.Timeout(connect=2, read=2, write=2, pool=2)
    async with scripted_server(answer(200, {"ResultCode": 0})) as listener, open_client(timeout) as http:
        recorder.listen(http)
        client, till = client_of(http, sandbox), client_of(http, sandbox, TILL)
        for each in (client, till):
            await each.prove_keys()
            await each.register_urls(f"{listener.url}/c2b", f"{listener.url}/v", "Completed")
        await till.create_payment(prompt_of(callback_url=f"{listener.url}/stk/a/b"))
        await collect(client, sandbox, listener)
        await operate(client, sandbox, listener)
        await pull(client)

        assert recorder.complaints(SCHEMA) == []
        kinds = {"/stk": "stk_callback", "/c2b": "confirmation", "/hooks": "result"}
        for path, kind in kinds.items():
            bodies = told(listener, path)
            assert bodies, path
            found = [misfits(schema, {"$ref": f"#/$defs/{kind}"}, body) for body in bodies]
            assert [each for each in found if each] == []
    asked = {exchange.path.rpartition("/mpesa/")[2] for exchange in recorder.exchanges}
    assert len(asked) >= len(schema["calls"]) - 1


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("stk_callback", {"Body": {"stkCallback": {"ResultCode": 0}}}),
        ("confirmation", {"TransID": "TKX1"}),
        ("result", {"Result": {"ResultType": 0, "ResultCode": 0}}),
    ],
)
def test_the_schema_finds_what_does_not_fit(kind: str, body: object) -> None:
    assert misfits(read_schema(SCHEMA), {"$ref": f"#/$defs/{kind}"}, body)
