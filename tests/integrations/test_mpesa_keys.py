import pytest
from starlette.responses import Response

from integrations.errors import FailureReason, ProviderRejected, ProviderUnavailable
from integrations.mpesa.client import MpesaClient, Registration
from integrations.mpesa.messages import MpesaCredentials, ShortCode
from integrations.sandbox import demo
from integrations.sandbox.refusals import Dropped
from tests.integrations.conftest import DEMO_KEYS, PAYBILL, MakeClient
from tests.integrations.scripted import answer, scripted_server
from tests.sandbox import RunningSandbox


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


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (answer(400, {"errorCode": "400.002.02", "errorMessage": "Invalid ShortCode"}), ProviderRejected),
        (answer(401, {"errorMessage": "Invalid API call as no apiproduct match found"}), ProviderRejected),
        (answer(500, {"errorCode": "500.003.1001", "errorMessage": "Server error"}), ProviderUnavailable),
        (answer(200, {"ResponseCode": "1"}), ProviderUnavailable),
        (Dropped(), ProviderUnavailable),
    ],
)
async def test_a_registration_that_fails_is_refused_or_may_be_repeated(
    make_client: MakeClient, reply: Response, failure: type[Exception]
) -> None:
    async with scripted_server(reply) as server:
        with pytest.raises(failure):
            await make_client(base_url=server.url).register_urls(
                "https://pay.example.com/c", "https://pay.example.com/v", "Cancelled"
            )


async def test_a_url_with_a_forbidden_word_is_not_registered(client: MpesaClient) -> None:
    with pytest.raises(ProviderRejected, match="mpesa"):
        await client.register_urls("https://mpesa.example.com/c", "https://example.com/v", "Completed")
