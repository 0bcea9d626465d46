"""What the sandbox refuses, as Paystack does."""

from typing import Any

import pytest

from core.ids import new_id
from integrations.sandbox import demo
from tests.integrations.paystack.conftest import PAYSTACK, Desk, page_of, prompt_of, question_of
from tests.sandbox import RunningSandbox
from tests.wire.recording import misfits, read_schema

HEADERS = {"authorization": f"Bearer {demo.DEMO_PAYSTACK_SECRET_KEY}"}
CHARGE: dict[str, Any] = {
    "email": "jane@example.com",
    "amount": 150_000,
    "currency": "KES",
    "mobile_money": {"phone": "+254700000001", "provider": "mpesa"},
}


async def post(sandbox: RunningSandbox, path: str, body: object, headers: dict[str, str] = HEADERS) -> Any:  # noqa: ANN401 - JSON
    response = await sandbox.http.post(f"/{PAYSTACK}{path}", json=body, headers=headers)
    answer = response.json()
    if response.status_code != 200:
        assert misfits(read_schema("paystack_calls"), {"$ref": "#/$defs/error"}, answer) == []
    return response.status_code, answer["message"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"email": None}, "Invalid Email Address Passed"),
        ({"email": "jane"}, "Invalid Email Address Passed"),
        ({"amount": None}, "Invalid Amount Sent"),
        ({"amount": "150000"}, "Invalid Amount Sent"),
        ({"amount": 1500.5}, "Invalid Amount Sent"),
        ({"amount": 0}, "Invalid Amount Sent"),
        ({"amount": True}, "Invalid Amount Sent"),
        ({"amount": 150_050}, "Invalid Amount Sent"),
        ({"currency": None}, "Currency not supported by merchant"),
        ({"currency": "EUR"}, "Currency not supported by merchant"),
        ({"reference": "a_b"}, "Invalid characters in transaction reference"),
        ({"reference": None}, "Invalid characters in transaction reference"),
        ({"mobile_money": None}, "Invalid mobile money provider"),
        ({"mobile_money": {"phone": "+254700000001", "provider": "airtel"}}, "Invalid mobile money provider"),
        ({"mobile_money": {"phone": "0700000001", "provider": "mpesa"}}, "Invalid phone number"),
        ({"mobile_money": {"phone": "+254700000001", "provider": "mpesa_offline"}}, "Invalid phone number"),
        (
            {"mobile_money": {"phone": "0241234567", "provider": "mtn"}},
            "Provider does not serve this currency",
        ),
        ({"mobile_money": {"account": "x", "provider": "mptill"}}, "Invalid phone number"),
    ],
)
async def test_a_charge_with_a_wrong_field_is_refused(
    sandbox: RunningSandbox, changes: dict[str, object], message: str
) -> None:
    body = {**CHARGE, "reference": str(new_id()), **changes}

    assert await post(sandbox, "/charge", body) == (400, message)
    assert (await sandbox.book_of(PAYSTACK))["paid"] == []


@pytest.mark.parametrize("channels", ["card", [], ["cash"]])
async def test_a_page_with_channels_that_are_none_is_refused(
    sandbox: RunningSandbox, channels: object
) -> None:
    body = {**CHARGE, "reference": str(new_id()), "channels": channels}

    assert await post(sandbox, "/transaction/initialize", body) == (400, "Invalid channels")


@pytest.mark.parametrize("authorization", ["", "Bearer sk_test_other", "Basic x", "sk_test_hazina_demo"])
async def test_nobody_is_served_without_a_key(sandbox: RunningSandbox, authorization: str) -> None:
    headers = {"authorization": authorization}

    assert await post(sandbox, "/charge", CHARGE, headers) == (401, "Invalid key")


async def test_a_business_may_serve_fewer_currencies(sandbox: RunningSandbox) -> None:
    await sandbox.register_webhook(PAYSTACK, key="sk_test_ghana", details={"currencies": "GHS"})
    headers = {"authorization": "Bearer sk_test_ghana"}

    refused = await post(sandbox, "/charge", {**CHARGE, "reference": "r-1"}, headers)

    assert refused == (400, "Currency not supported by merchant")


async def test_a_reference_is_used_once_in_a_business(desk: Desk) -> None:
    intent = page_of()
    await desk.client.create_payment(intent)
    body = {**CHARGE, "reference": intent.attempt_key}

    assert await post(desk.sandbox, "/charge", body) == (400, "Duplicate Transaction Reference")
    await desk.sandbox.register_webhook(PAYSTACK, key="sk_test_other")
    other = {"authorization": "Bearer sk_test_other"}
    assert await post(desk.sandbox, "/charge", body, other) == (200, "Charge attempted")
    found = await desk.sandbox.http.get(f"/{PAYSTACK}/refund/1", headers=other)
    assert found.status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
async def test_what_is_no_json_object_is_refused(sandbox: RunningSandbox, body: bytes) -> None:
    response = await sandbox.http.post(f"/{PAYSTACK}/charge", content=body, headers=HEADERS)

    assert (response.status_code, response.json()["status"]) == (400, False)


async def test_a_step_that_the_charge_does_not_wait_for_is_refused(desk: Desk) -> None:
    intent = prompt_of()
    await desk.client.create_payment(intent)
    body = {"otp": "123456", "reference": question_of(intent).provider_reference}

    assert await post(desk.sandbox, "/charge/submit_otp", body) == (400, "Charge does not wait for otp")
    unknown = await post(desk.sandbox, "/charge/submit_otp", {**body, "reference": "x"})
    assert unknown == (400, "Transaction reference is invalid")
    assert await post(desk.sandbox, "/charge/submit_otp", {"otp": "1"}) == (400, "reference is required")


@pytest.mark.parametrize("query", ["perPage=101", "perPage=0", "page=x", "from=yesterday", "to=x"])
async def test_a_list_that_is_asked_for_wrongly_is_refused(sandbox: RunningSandbox, query: str) -> None:
    response = await sandbox.http.get(f"/{PAYSTACK}/transaction?{query}", headers=HEADERS)

    assert response.status_code == 400


@pytest.mark.parametrize(
    ("control", "given"),
    [
        ("next", {"outcomes": ["no such outcome"]}),
        ("pay", {"reference": "x"}),
        ("rotate", {"key": "sk_test_nobody", "to": "sk_test_x"}),
        ("dispute", {"reference": "x"}),
        ("dispute_resolve", {"id": "x"}),
    ],
)
async def test_a_control_says_what_is_wrong(
    sandbox: RunningSandbox, control: str, given: dict[str, object]
) -> None:
    response = await sandbox.http.post(f"/_control/{PAYSTACK}/{control}", json=given)

    assert response.status_code == 400
    assert response.json()["error"]
