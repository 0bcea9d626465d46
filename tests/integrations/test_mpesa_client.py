from datetime import timedelta

import httpx
import pytest
from starlette.responses import Response

from core.clock import utc_now
from core.currency import Currency
from core.money import Money
from core.phone import Phone
from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.http import Call
from integrations.mpesa.client import MpesaClient
from integrations.mpesa.messages import ShortCode
from integrations.mpesa.tokens import ProcessTokens
from integrations.protocol import NotPaid, Paid
from integrations.sandbox import demo
from tests.integrations.conftest import (
    DEMO_KEYS,
    PAYBILL,
    PROMPT,
    TILL,
    MakeClient,
    prompt_of,
    question_about,
)
from tests.integrations.scripted import answer, scripted_server
from tests.sandbox import RunningSandbox


async def test_a_prompt_is_taken_once_and_its_payment_found_by_asking(
    client: MpesaClient, sandbox: RunningSandbox
) -> None:
    accepted = await client.create_payment(PROMPT)

    await sandbox.release()
    (taken,) = (await sandbox.book())["stk"]
    assert taken["id"] == accepted.provider_reference
    assert taken["merchant_request_id"] == accepted.request_reference
    assert (taken["amount"], taken["phone"]) == (1_500, "254700000001")
    assert (taken["reference"], taken["callback_url"]) == (PROMPT.reference, PROMPT.callback_url)
    assert await client.query_payment(question_about(accepted.provider_reference)) == Paid(
        amount=None, receipt=None
    )


async def test_a_tills_money_goes_to_the_till_under_its_store_number(
    make_client: MakeClient, sandbox: RunningSandbox
) -> None:
    await make_client(short_code=TILL).create_payment(PROMPT)

    await sandbox.release()
    (taken,) = (await sandbox.book())["stk"]
    assert (taken["short_code"], taken["party_b"]) == (demo.DEMO_TILL_HEAD_OFFICE, demo.DEMO_TILL)
    assert taken["transaction_type"] == "CustomerBuyGoodsOnline"
    assert taken["result_code"] == "0"


async def test_a_till_that_is_called_a_paybill_is_a_configuration_error(
    make_client: MakeClient, sandbox: RunningSandbox
) -> None:
    client = make_client(short_code=ShortCode.paybill(demo.DEMO_TILL_HEAD_OFFICE))
    accepted = await client.create_payment(PROMPT)
    await sandbox.release()

    told = await client.query_payment(question_about(accepted.provider_reference))

    assert isinstance(told, NotPaid)
    assert (told.code, told.reason) == ("2028", FailureReason.CONFIGURATION)


async def test_a_refused_field_is_final_and_nothing_is_taken(
    client: MpesaClient, sandbox: RunningSandbox
) -> None:
    await sandbox.control_next("refused")

    with pytest.raises(ProviderRejected) as caught:
        await client.create_payment(PROMPT)

    assert (caught.value.code, caught.value.reason) == ("400.002.02", FailureReason.PAYER_NOT_ALLOWED)
    assert (await sandbox.book())["stk"] == []


@pytest.mark.parametrize("outcome", ["busy", "quota"])
async def test_a_throttled_prompt_surely_was_not_taken(
    client: MpesaClient, sandbox: RunningSandbox, outcome: str
) -> None:
    await sandbox.control_next(outcome)

    with pytest.raises(ProviderUnavailable):
        await client.create_payment(PROMPT)

    assert (await sandbox.book())["stk"] == []


@pytest.mark.parametrize(
    ("outcome", "taken"),
    [
        ("timeout_before_acceptance", 0),
        ("timeout_after_acceptance", 1),
        ("reset_before_acceptance", 0),
        ("reset_after_acceptance", 1),
        ("html", 1),
    ],
)
async def test_a_lost_answer_is_unknown_and_the_prompt_is_never_sent_twice(
    client: MpesaClient, sandbox: RunningSandbox, calls: list[Call], outcome: str, taken: int
) -> None:
    await sandbox.control_next(outcome)

    with pytest.raises(OutcomeUnknown) as caught:
        await client.create_payment(PROMPT)

    assert caught.value.reference == PROMPT.reference
    assert len((await sandbox.book())["stk"]) == taken
    assert [call.operation for call in calls] == ["token", "stk_push"]
    assert calls[-1].outcome == ("answered" if outcome == "html" else "unknown")


async def test_nobody_listening_means_nothing_was_sent(make_client: MakeClient, calls: list[Call]) -> None:
    client = make_client(base_url="http://127.0.0.1:9")

    with pytest.raises(ProviderUnavailable):
        await client.create_payment(PROMPT)
    with pytest.raises(ProviderUnavailable):
        await client.query_payment(question_about("ws_CO_1"))
    with pytest.raises(ProviderUnavailable):
        await client.prove_keys()
    assert {(call.operation, call.outcome, call.status) for call in calls} == {("token", "unavailable", None)}


@pytest.mark.parametrize(
    "reply",
    [
        answer(200, {"ResponseCode": "1", "ResponseDescription": "Rejected"}),
        answer(200, {"ErrorCode": "400.002.02", "ErrorMessage": "Bad Request - Invalid Amount"}),
    ],
)
async def test_a_200_may_carry_a_refusal(make_client: MakeClient, reply: Response) -> None:
    async with scripted_server(reply) as server:
        with pytest.raises(ProviderRejected):
            await make_client(base_url=server.url).create_payment(PROMPT)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": Money(150_050, Currency.KES)}, "amount"),
        ({"amount": Money(0, Currency.KES)}, "amount"),
        ({"amount": Money(25_000_100, Currency.KES)}, "amount"),
        ({"amount": Money(150_000, Currency.UGX)}, "amount"),
        ({"phone": Phone("+256700000001")}, "phone"),
        ({"phone": Phone("+254200000001")}, "phone"),
        ({"reference": "INV-1042"}, "reference"),
        ({"reference": "INV1042INV1042"}, "reference"),
        ({"callback_url": "http://pay.example.com/hooks/a/b"}, "callback_url"),
        ({"callback_url": "https://pay.example.com/MPESA/b"}, "callback_url"),
    ],
)
async def test_what_mpesa_would_refuse_is_never_sent(
    client: MpesaClient, calls: list[Call], change: dict[str, object], code: str
) -> None:
    with pytest.raises(ProviderRejected) as caught:
        await client.create_payment(prompt_of(**change))

    assert caught.value.code == code
    assert calls == []


@pytest.mark.parametrize(
    ("description", "sent"),
    [("Order #1042 & more", "Order 1042 mo"), ("Déjeuner", "D jeuner"), ("@#&", "INV1042"), ("", "INV1042")],
)
async def test_a_description_is_made_fit(
    client: MpesaClient, sandbox: RunningSandbox, description: str, sent: str
) -> None:
    await client.create_payment(prompt_of(description=description))

    assert (await sandbox.book())["stk"][0]["description"] == sent


async def test_a_clock_three_hours_off_is_refused_as_configuration(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    client = MpesaClient(
        DEMO_KEYS,
        PAYBILL,
        base_url=sandbox.mpesa_url,
        http=http,
        tokens=ProcessTokens(utc_now),
        clock=lambda: utc_now() - timedelta(hours=3),
    )

    with pytest.raises(ProviderRejected) as caught:
        await client.create_payment(PROMPT)

    assert caught.value.reason is FailureReason.CONFIGURATION


KEYS = (demo.DEMO_CONSUMER_KEY, demo.DEMO_CONSUMER_SECRET, demo.DEMO_PASSKEY)


async def test_a_call_is_kept_without_secret_phone_or_hook_path(
    client: MpesaClient, calls: list[Call]
) -> None:
    accepted = await client.create_payment(prompt_of(callback_url="http://127.0.0.1:9/hooks/s3cr3t/it3m"))
    await client.query_payment(question_about(accepted.provider_reference))

    kept = repr(calls)
    assert [call.operation for call in calls] == ["token", "stk_push", "stk_query"]
    assert all(call.status == 200 and call.outcome == "answered" for call in calls)
    for secret in (*KEYS, "s3cr3t", "it3m", "700000001", "254700000001"):
        assert secret not in kept
    assert calls[1].request["AccountReference"] == PROMPT.reference
    assert calls[1].response is not None
    assert calls[1].response["ResponseCode"] == "0"


@pytest.mark.parametrize(
    "reply",
    [
        answer(200, {"ResponseCode": "0", "CheckoutRequestID": "", "MerchantRequestID": "1"}),
        answer(200, {"ResponseCode": "0", "MerchantRequestID": "1"}),
        answer(200, {"CheckoutRequestID": "ws_CO_1", "MerchantRequestID": "1"}),
        answer(200, {"errorCode": "777.1", "errorMessage": "never seen"}),
        answer(200, {"ErrorCode": "777.1", "ErrorMessage": "never seen"}),
        answer(200, []),
        answer(200, "null"),
        answer(200, b"\xff\xfe"),
        answer(200, "[" * 100_000),
        answer(302, "", location="https://example.com"),
        answer(502, "Bad gateway"),
    ],
)
async def test_an_answer_without_the_expected_keys_leaves_the_outcome_unknown(
    make_client: MakeClient, reply: Response
) -> None:
    async with scripted_server(reply) as server:
        with pytest.raises(OutcomeUnknown):
            await make_client(base_url=server.url).create_payment(PROMPT)
