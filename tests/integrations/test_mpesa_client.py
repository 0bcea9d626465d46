import asyncio
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
from integrations.mpesa.client import MpesaClient, Registration
from integrations.mpesa.messages import MpesaCredentials, ShortCode
from integrations.mpesa.tokens import ProcessTokens
from integrations.protocol import NotPaid, Paid, StillPending
from integrations.sandbox import demo
from integrations.sandbox.outcomes import RESULTS
from tests.integrations.conftest import DEMO_KEYS, PAYBILL, PROMPT, TILL, MakeClient, prompt_of
from tests.integrations.scripted import answer, scripted_server
from tests.sandbox import RunningSandbox


async def test_a_prompt_is_taken_once_and_its_payment_found_by_asking(
    client: MpesaClient, sandbox: RunningSandbox
) -> None:
    accepted = await client.prompt(PROMPT)

    await sandbox.release()
    (taken,) = (await sandbox.book())["stk"]
    assert taken["id"] == accepted.provider_reference
    assert taken["merchant_request_id"] == accepted.request_reference
    assert (taken["amount"], taken["phone"]) == (1_500, "254700000001")
    assert (taken["reference"], taken["callback_url"]) == (PROMPT.reference, PROMPT.callback_url)
    assert await client.query(accepted.provider_reference) == Paid(amount=None, receipt=None)


async def test_a_tills_money_goes_to_the_till_under_its_store_number(
    make_client: MakeClient, sandbox: RunningSandbox
) -> None:
    await make_client(short_code=TILL).prompt(PROMPT)

    await sandbox.release()
    (taken,) = (await sandbox.book())["stk"]
    assert (taken["short_code"], taken["party_b"]) == (demo.DEMO_TILL_HEAD_OFFICE, demo.DEMO_TILL)
    assert taken["transaction_type"] == "CustomerBuyGoodsOnline"
    assert taken["result_code"] == "0"


async def test_a_till_that_is_called_a_paybill_is_a_configuration_error(
    make_client: MakeClient, sandbox: RunningSandbox
) -> None:
    client = make_client(short_code=ShortCode.paybill(demo.DEMO_TILL_HEAD_OFFICE))
    accepted = await client.prompt(PROMPT)
    await sandbox.release()

    told = await client.query(accepted.provider_reference)

    assert isinstance(told, NotPaid)
    assert (told.code, told.reason) == ("2028", FailureReason.CONFIGURATION)


@pytest.mark.parametrize("outcome", [name for name in RESULTS if name != "success"])
async def test_each_documented_failure_is_told_for_sure_by_a_query(
    client: MpesaClient, sandbox: RunningSandbox, outcome: str
) -> None:
    await sandbox.control_next(outcome)
    accepted = await client.prompt(PROMPT)
    await sandbox.release()

    told = await client.query(accepted.provider_reference)

    assert isinstance(told, NotPaid)
    assert told.code == RESULTS[outcome][0]
    assert told.is_sure
    assert (await sandbox.book())["paid"] == []


@pytest.mark.parametrize("outcome", ["query_pending", "query_unknown", {"delay_s": 60}])
async def test_a_prompt_that_is_not_decided_is_still_pending(
    client: MpesaClient, sandbox: RunningSandbox, outcome: str
) -> None:
    await sandbox.control_next(outcome)
    accepted = await client.prompt(PROMPT)

    assert await client.query(accepted.provider_reference) == StillPending()


async def test_a_refused_field_is_final_and_nothing_is_taken(
    client: MpesaClient, sandbox: RunningSandbox
) -> None:
    await sandbox.control_next("refused")

    with pytest.raises(ProviderRejected) as caught:
        await client.prompt(PROMPT)

    assert (caught.value.code, caught.value.reason) == ("400.002.02", FailureReason.PAYER_NOT_ALLOWED)
    assert (await sandbox.book())["stk"] == []


@pytest.mark.parametrize("outcome", ["busy", "quota"])
async def test_a_throttled_prompt_surely_was_not_taken(
    client: MpesaClient, sandbox: RunningSandbox, outcome: str
) -> None:
    await sandbox.control_next(outcome)

    with pytest.raises(ProviderUnavailable):
        await client.prompt(PROMPT)

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
        await client.prompt(PROMPT)

    assert caught.value.reference == PROMPT.reference
    assert len((await sandbox.book())["stk"]) == taken
    assert [call.operation for call in calls] == ["token", "stk_push"]
    assert calls[-1].outcome == ("answered" if outcome == "html" else "unknown")


async def test_nobody_listening_means_nothing_was_sent(make_client: MakeClient, calls: list[Call]) -> None:
    client = make_client(base_url="http://127.0.0.1:9")

    with pytest.raises(ProviderUnavailable):
        await client.prompt(PROMPT)
    with pytest.raises(ProviderUnavailable):
        await client.query("ws_CO_1")
    with pytest.raises(ProviderUnavailable):
        await client.prove_keys()
    assert {(call.operation, call.outcome, call.status) for call in calls} == {("token", "unavailable", None)}


@pytest.mark.parametrize(
    "token",
    [
        answer(500, "<html>"),
        answer(503, {"errorCode": "00.002.1001", "errorMessage": "maintenance"}),
        answer(200, {"access_token": "a token with spaces", "expires_in": "3599"}),
        answer(200, {"access_token": "", "expires_in": "3599"}),
        answer(200, {"access_token": "fine", "expires_in": "soon"}),
        answer(200, {"expires_in": 3599}),
        answer(400, ""),
        answer(401, ""),
    ],
)
async def test_without_a_token_nothing_was_sent(make_client: MakeClient, token: Response) -> None:
    async with scripted_server() as server:
        server.token = token

        with pytest.raises(ProviderUnavailable):
            await make_client(base_url=server.url).prompt(PROMPT)

        assert [path for path, _ in server.received] == ["/oauth/v1/generate"]


async def test_a_token_that_another_process_ended_is_renewed_once(
    make_client: MakeClient, sandbox: RunningSandbox, calls: list[Call]
) -> None:
    first, second = make_client(), make_client()
    await first.prompt(PROMPT)
    await second.prompt(prompt_of(reference="INV1043"))

    await first.prompt(prompt_of(reference="INV1044"))

    references = [taken["reference"] for taken in (await sandbox.book())["stk"]]
    assert references == ["INV1042", "INV1043", "INV1044"]
    assert [call.operation for call in calls[4:]] == ["stk_push", "token", "stk_push"]


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (404, "404.001.03", "Invalid Access Token"),
        (401, "401.003.01", "Error Occurred - Invalid Access Token - x"),
        (401, "401.002.01", "Error Occurred"),
        (400, "400.003.01", "Access denied"),
        (500, "999.000.00", "Invalid Access Token"),
    ],
)
async def test_every_shape_of_the_token_error_leads_to_one_renewal(
    client: MpesaClient, sandbox: RunningSandbox, status: int, code: str, message: str
) -> None:
    await client.prompt(PROMPT)
    await sandbox.control("mpesa/tokens", error={"status": status, "code": code, "message": message})

    await client.prompt(prompt_of(reference="INV1043"))

    assert len((await sandbox.book())["stk"]) == 2


async def test_a_token_refused_twice_is_given_up(make_client: MakeClient) -> None:
    refusal = answer(401, {"errorCode": "401.003.01", "errorMessage": "Invalid Access Token"})
    async with scripted_server(refusal) as server:
        with pytest.raises(ProviderUnavailable):
            await make_client(base_url=server.url).prompt(PROMPT)

        paths = [path.rpartition("/")[2] for path, _ in server.received]
        assert paths == ["generate", "processrequest", "generate", "processrequest"]


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
            await make_client(base_url=server.url).prompt(PROMPT)


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
            await make_client(base_url=server.url).prompt(PROMPT)


@pytest.mark.parametrize(
    "reply",
    [
        answer(500, {"errorCode": "500.001.1001", "errorMessage": "[MerchantValidate] - Wrong credentials"}),
        answer(500, {"errorCode": "500.003.02", "errorMessage": "Spike Arrest"}),
        answer(400, {"errorCode": "400.002.02", "errorMessage": "Bad Request - Invalid CheckoutRequestID"}),
        answer(200, {"ResponseCode": "0"}),
        answer(200, {"ResultCode": "0", "CheckoutRequestID": "ws_CO_of_another_payment"}),
        answer(200, "<html>"),
        answer(500, ""),
    ],
)
async def test_a_query_without_an_answer_says_nothing_about_the_payment(
    make_client: MakeClient, reply: Response
) -> None:
    async with scripted_server(reply) as server:
        with pytest.raises(ProviderUnavailable):
            await make_client(base_url=server.url).query("ws_CO_1")


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
        await client.prompt(prompt_of(**change))

    assert caught.value.code == code
    assert calls == []


@pytest.mark.parametrize(
    ("description", "sent"),
    [("Order #1042 & more", "Order 1042 mo"), ("Déjeuner", "D jeuner"), ("@#&", "INV1042"), ("", "INV1042")],
)
async def test_a_description_is_made_fit(
    client: MpesaClient, sandbox: RunningSandbox, description: str, sent: str
) -> None:
    await client.prompt(prompt_of(description=description))

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
        await client.prompt(PROMPT)

    assert caught.value.reason is FailureReason.CONFIGURATION


async def test_keys_that_belong_together_are_proved_without_a_prompt(
    client: MpesaClient, sandbox: RunningSandbox
) -> None:
    await client.prove_keys()

    assert (await sandbox.book())["stk"] == []


KEY, SECRET, PASSKEY = demo.DEMO_CONSUMER_KEY, demo.DEMO_CONSUMER_SECRET, demo.DEMO_PASSKEY


@pytest.mark.parametrize(
    ("credentials", "short_code", "message"),
    [
        (MpesaCredentials("other", SECRET, PASSKEY), PAYBILL, "consumer key and secret"),
        (MpesaCredentials(KEY, "other", PASSKEY), PAYBILL, "consumer key and secret"),
        (MpesaCredentials(KEY, SECRET, "other"), PAYBILL, "passkey"),
        (DEMO_KEYS, ShortCode.paybill("600000"), "passkey for this short code"),
        (DEMO_KEYS, ShortCode.paybill("12"), "BusinessShortCode"),
    ],
)
async def test_wrong_keys_are_refused_with_a_word_on_which(
    make_client: MakeClient, credentials: MpesaCredentials, short_code: ShortCode, message: str
) -> None:
    with pytest.raises(ProviderRejected, match=message) as caught:
        await make_client(credentials, short_code).prove_keys()

    assert caught.value.reason is FailureReason.CONFIGURATION


@pytest.mark.parametrize(
    "reply",
    [
        answer(401, {"errorCode": "401.003.01", "errorMessage": "Invalid Access Token"}),
        answer(404, {"errorCode": "404.001.01", "errorMessage": "Resource not found"}),
        answer(400, {"errorCode": "", "errorMessage": "Invalid API call as no apiproduct match found"}),
    ],
)
async def test_an_app_without_the_product_is_refused(make_client: MakeClient, reply: Response) -> None:
    async with scripted_server(reply) as server:
        with pytest.raises(ProviderRejected, match="no M-Pesa Express product"):
            await make_client(base_url=server.url).prove_keys()


@pytest.mark.parametrize(
    "reply",
    [
        answer(200, {"ResponseCode": "0", "ResultCode": "1032", "CheckoutRequestID": "x"}),
        answer(400, {"errorCode": "400.002.02", "errorMessage": "Bad Request - Invalid CheckoutRequestID"}),
        answer(500, {"errorCode": "500.001.1001", "errorMessage": "The transaction is being processed"}),
    ],
)
async def test_mpesa_having_looked_for_the_prompt_proves_the_keys(
    make_client: MakeClient, reply: Response
) -> None:
    async with scripted_server(reply) as server:
        await make_client(base_url=server.url).prove_keys()


@pytest.mark.parametrize("reply", [answer(500, ""), answer(200, {}), answer(429, "")])
async def test_an_answer_that_proves_nothing_is_asked_again(make_client: MakeClient, reply: Response) -> None:
    async with scripted_server(reply) as server:
        with pytest.raises(ProviderUnavailable):
            await make_client(base_url=server.url).prove_keys()


async def test_urls_are_registered_once_in_production(
    make_client: MakeClient, sandbox: RunningSandbox
) -> None:
    code = {"code": "600000", "passkey": "p", "kind": "paybill", "has_final_urls": True}
    await sandbox.register_app("key", "secret", code)
    client = make_client(MpesaCredentials("key", "secret", "p"), ShortCode.paybill("600000"))
    urls = ("https://pay.example.com/hooks/c", "https://pay.example.com/hooks/v")

    assert await client.register_urls(*urls, "Completed") is Registration.DONE
    assert await client.register_urls(*urls, "Completed") is Registration.STANDING

    (registered,) = (await sandbox.book())["urls"]
    assert registered["confirmation_url"] == urls[0]


async def test_a_url_with_a_forbidden_word_is_not_registered(client: MpesaClient) -> None:
    with pytest.raises(ProviderRejected, match="mpesa"):
        await client.register_urls("https://mpesa.example.com/c", "https://example.com/v", "Completed")


async def test_a_call_is_kept_without_secret_phone_or_hook_path(
    client: MpesaClient, calls: list[Call]
) -> None:
    accepted = await client.prompt(prompt_of(callback_url="http://127.0.0.1:9/hooks/s3cr3t/it3m"))
    await client.query(accepted.provider_reference)

    kept = repr(calls)
    assert [call.operation for call in calls] == ["token", "stk_push", "stk_query"]
    assert all(call.status == 200 and call.outcome == "answered" for call in calls)
    for secret in (KEY, SECRET, PASSKEY, "s3cr3t", "it3m", "700000001", "254700000001"):
        assert secret not in kept
    assert calls[1].request["AccountReference"] == PROMPT.reference
    assert calls[1].response is not None
    assert calls[1].response["ResponseCode"] == "0"


async def test_prompts_at_the_same_time_share_one_token(
    client: MpesaClient, sandbox: RunningSandbox, calls: list[Call]
) -> None:
    prompts = [prompt_of(reference=f"INV{number}") for number in range(20)]

    await asyncio.gather(*(client.prompt(prompt) for prompt in prompts))

    assert len((await sandbox.book())["stk"]) == 20
    assert [call.operation for call in calls].count("token") == 1
