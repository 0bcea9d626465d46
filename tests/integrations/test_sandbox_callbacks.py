import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from integrations.mpesa.client import MpesaClient
from integrations.mpesa.events import read_c2b_confirmation, read_stk_result
from integrations.mpesa.messages import MpesaCredentials, ShortCode
from integrations.protocol import NotPaid, Paid
from integrations.sandbox import demo
from integrations.sandbox.settings import SandboxSettings
from tests.integrations.conftest import TILL, MakeClient, prompt_of, question_about
from tests.integrations.scripted import Scripted, answer, scripted_server
from tests.sandbox import RunningSandbox, running_sandbox


@pytest.fixture
async def listener() -> AsyncIterator[Scripted]:
    """Takes callbacks at /stk, confirmations at /c and validations at /v."""
    async with scripted_server(answer(200, {"ResultCode": 0, "ResultDesc": "Accepted"})) as server:
        yield server


async def register_urls(client: MpesaClient, listener: Scripted) -> None:
    await client.register_urls(f"{listener.url}/c", f"{listener.url}/v", "Completed")


def to(listener: Scripted) -> Any:  # noqa: ANN401 - a Prompt
    return prompt_of(callback_url=f"{listener.url}/stk/a/b")


async def test_a_paid_prompt_is_told_once_in_the_sheets_own_shape(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    accepted = await client.create_payment(to(listener))

    (body,) = await listener.messages(1)
    told = body["Body"]["stkCallback"]
    items = {item["Name"]: item.get("Value") for item in told["CallbackMetadata"]["Item"]}
    assert told["CheckoutRequestID"] == accepted.provider_reference
    assert told["ResultCode"] == 0
    assert list(items) == ["Amount", "MpesaReceiptNumber", "Balance", "TransactionDate", "PhoneNumber"]
    assert (items["Amount"], items["PhoneNumber"]) == (1_500, 254700000001)
    await sandbox.release()
    (paid,) = (await sandbox.book())["paid"]
    assert paid["receipt"] == items["MpesaReceiptNumber"]
    assert len(listener.received) == 1


async def verdicts(listener: Scripted, count: int) -> list[Paid | NotPaid]:
    bodies = await listener.messages(count, "/stk")
    return [read_stk_result(json.dumps(body).encode()).answer for body in bodies]


async def test_a_failure_names_only_its_code(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    await sandbox.control_next("cancelled")
    await client.create_payment(to(listener))

    (body,) = await listener.messages(1)
    assert set(body["Body"]["stkCallback"]) == {
        "MerchantRequestID",
        "CheckoutRequestID",
        "ResultCode",
        "ResultDesc",
    }
    assert body["Body"]["stkCallback"]["ResultCode"] == 1032
    assert (await sandbox.book())["paid"] == []


async def test_a_duplicate_callback_is_the_same_twice(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    await sandbox.control_next("duplicate_callback")
    await client.create_payment(to(listener))

    first, second = await listener.messages(2)
    assert first == second
    assert len((await sandbox.book())["paid"]) == 1


async def test_a_contradicting_callback_tells_the_truth_first(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    await sandbox.control_next("contradicting_callback")
    await client.create_payment(to(listener))

    truth, lie = await verdicts(listener, 2)
    assert isinstance(truth, Paid)
    assert isinstance(lie, NotPaid)


async def test_a_tampered_amount_is_not_what_was_paid(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    await sandbox.control_next("tampered_amount")
    await client.create_payment(to(listener))

    (told,) = await verdicts(listener, 1)
    assert isinstance(told, Paid)
    assert str(told.amount) == "KES 1501.00"
    await sandbox.release()
    assert (await sandbox.book())["paid"][0]["amount"] == "1500.00"


@pytest.mark.parametrize(
    "outcome", ["missing_callback", "withheld_callback", "late_callback", "query_unknown"]
)
async def test_a_callback_is_kept_back_until_its_release(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted, outcome: str
) -> None:
    await sandbox.control_next(outcome)
    accepted = await client.create_payment(to(listener))
    assert listener.received == []

    told = await sandbox.release(reference="INV1042")

    assert told["told"] == {accepted.provider_reference: ["callback 0: 200"]}
    assert isinstance((await verdicts(listener, 1))[0], Paid)
    assert await client.query_payment(question_about(accepted.provider_reference)) == Paid()
    await sandbox.release()
    assert len(listener.received) == 1


@pytest.mark.parametrize(
    ("c2b", "order"),
    [
        ("registered", ["/stk/a/b", "/c"]),
        ("after", ["/stk/a/b", "/c"]),
        ("before", ["/c", "/stk/a/b"]),
        ("instead", ["/c"]),
        ("never", ["/stk/a/b"]),
    ],
)
async def test_a_prompts_payment_is_also_confirmed_under_the_same_receipt(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted, c2b: str, order: list[str]
) -> None:
    await register_urls(client, listener)
    await sandbox.control_next({"kind": "success", "c2b": c2b})
    await client.create_payment(to(listener))
    await sandbox.release()

    assert [path for path, _ in listener.received] == order
    receipt = (await sandbox.book())["paid"][0]["receipt"]
    for body in await listener.messages(0, "/c"):
        told = read_c2b_confirmation(json.dumps(body).encode())
        assert (told.receipt, told.reference, told.kind) == (receipt, "INV1042", "paybill")
        assert told.phone_masked == "2547 ***** 001"


async def test_a_tills_confirmation_names_no_reference(
    make_client: MakeClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    client = make_client(short_code=TILL)
    await register_urls(client, listener)
    await client.create_payment(to(listener))
    await sandbox.release()

    (body,) = await listener.messages(1, "/c")
    assert (body["TransactionType"], body["BillRefNumber"]) == ("Customer Merchant Payment", "")


HASH = hashlib.sha256(b"254700000001").hexdigest()


@pytest.mark.parametrize(
    ("masking", "number"), [("masked", "2547 ***** 001"), ("clear", "254700000001"), ("hashed", HASH)]
)
async def test_a_payment_by_hand_is_confirmed(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted, masking: str, number: str
) -> None:
    await register_urls(client, listener)

    told = await sandbox.pay_by_hand(demo.DEMO_PAYBILL, "1000.50", "254700000001", "VIP001", masking=masking)

    (body,) = await listener.messages(1, "/c")
    assert (body["TransID"], body["TransAmount"]) == (told["receipt"], "1000.50")
    assert (body["MSISDN"], body["BillRefNumber"]) == (number, "VIP001")
    assert told["told"] == ["confirmation: 200"]


async def test_darajas_own_simulation_pays_by_hand(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    await register_urls(client, listener)
    issued = await sandbox.http.get(
        "/mpesa/oauth/v1/generate?grant_type=client_credentials",
        auth=(demo.DEMO_CONSUMER_KEY, demo.DEMO_CONSUMER_SECRET),
    )
    payment = {
        "ShortCode": demo.DEMO_PAYBILL,
        "CommandID": "CustomerPayBillOnline",
        "Amount": 10,
        "Msisdn": "254700000001",
        "BillRefNumber": "VIP001",
    }

    response = await sandbox.http.post(
        "/mpesa/mpesa/c2b/v2/simulate",
        json=payment,
        headers={"authorization": f"Bearer {issued.json()['access_token']}"},
    )

    assert response.json()["ResponseCode"] == "0"
    (body,) = await listener.messages(1, "/c")
    assert (body["TransAmount"], body["BillRefNumber"]) == ("10.00", "VIP001")


async def test_a_payment_that_validation_refuses_is_not_made(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    await register_urls(client, listener)
    listener.answers = [answer(200, {"ResultCode": "C2B00012", "ResultDesc": "Rejected"})]

    told = await sandbox.pay_by_hand(demo.DEMO_PAYBILL, "10", "254700000001", "NOBODY", validate=True)

    assert told["receipt"] is None
    assert [path for path, _ in listener.received] == ["/v"]
    assert (await sandbox.book())["paid"] == []


async def test_planned_outcomes_go_to_the_phones_they_are_for(
    client: MpesaClient, sandbox: RunningSandbox
) -> None:
    await sandbox.control_next("wrong_pin", phone="254711111111")
    await sandbox.control_next("cancelled", "unreachable", short_code=demo.DEMO_PAYBILL)
    for number in range(3):
        await client.create_payment(prompt_of(reference=f"INV{number}"))
    await sandbox.release()

    book = await sandbox.book()
    assert [taken["result_code"] for taken in book["stk"]] == ["1032", "1037", "0"]
    assert [planned["phone"] for planned in book["planned"]] == ["254711111111"]


async def test_a_restart_forgets_nothing_that_was_taken_or_paid(
    make_client: MakeClient, tmp_path: Path, listener: Scripted
) -> None:
    settings = SandboxSettings(think_time_s=0.0, mail_port=None, book_path=tmp_path / "book" / "mpesa.jsonl")
    async with running_sandbox(settings) as first:
        await first.register_app("key", "secret", {"code": "600000", "passkey": "word"})
        client = make_client(base_url=first.mpesa_url)
        await register_urls(client, listener)
        await client.create_payment(prompt_of(reference="PAID"))
        await first.release()
        await first.control_next("withheld_callback", {"kind": "success", "delay_s": 3_600, "c2b": "never"})
        await client.create_payment(prompt_of(reference="HELD"))
        await client.create_payment(prompt_of(reference="OPEN", callback_url=f"{listener.url}/stk/a/b"))
        before = await first.book()
        assert [paid["reference"] for paid in before["paid"]] == ["PAID", "HELD"]
    with settings.book_path.open("a") as file:  # type: ignore[union-attr] # it was given above
        file.write('["stk", "cut sho')

    async with running_sandbox(settings) as second:
        assert await second.book() == before
        await second.release(reference="OPEN")
        await listener.messages(1, "/stk")
        assert [paid["reference"] for paid in (await second.book())["paid"]] == ["PAID", "HELD", "OPEN"]
    async with running_sandbox(settings) as third:
        assert len((await third.book())["paid"]) == 3
        keys = MpesaCredentials("key", "secret", "word")
        await make_client(keys, ShortCode.paybill("600000"), third.mpesa_url).prove_keys()
