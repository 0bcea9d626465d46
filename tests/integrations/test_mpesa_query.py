import pytest
from starlette.responses import Response

from integrations.errors import ProviderUnavailable
from integrations.mpesa.client import MpesaClient
from integrations.protocol import NotPaid, StillPending
from integrations.sandbox.outcomes import RESULTS
from integrations.sandbox.refusals import Dropped
from tests.integrations.conftest import PROMPT, MakeClient, question_about
from tests.integrations.scripted import answer, scripted_server
from tests.sandbox import RunningSandbox


@pytest.mark.parametrize("outcome", [name for name in RESULTS if name != "success"])
async def test_each_documented_failure_is_told_for_sure_by_a_query(
    client: MpesaClient, sandbox: RunningSandbox, outcome: str
) -> None:
    await sandbox.control_next(outcome)
    accepted = await client.create_payment(PROMPT)
    await sandbox.release()

    told = await client.query_payment(question_about(accepted.provider_reference))

    assert isinstance(told, NotPaid)
    assert told.code == RESULTS[outcome][0]
    assert told.is_sure
    assert (await sandbox.book())["paid"] == []


@pytest.mark.parametrize("outcome", ["query_pending", "query_unknown", {"delay_s": 60}])
async def test_a_prompt_that_is_not_decided_is_still_pending(
    client: MpesaClient, sandbox: RunningSandbox, outcome: str
) -> None:
    await sandbox.control_next(outcome)
    accepted = await client.create_payment(PROMPT)

    assert await client.query_payment(question_about(accepted.provider_reference)) == StillPending()


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
        Dropped(),
    ],
)
async def test_a_query_without_an_answer_says_nothing_about_the_payment(
    make_client: MakeClient, reply: Response
) -> None:
    async with scripted_server(reply) as server:
        with pytest.raises(ProviderUnavailable):
            await make_client(base_url=server.url).query_payment(question_about("ws_CO_1"))


async def test_a_query_without_an_answer_tells_no_phone(make_client: MakeClient) -> None:
    async with scripted_server(Dropped()) as server:
        with pytest.raises(ProviderUnavailable) as failure:
            await make_client(base_url=server.url).query_payment(
                question_about("ws_CO_21112026103001000700000001")
            )

    assert "700000001" not in failure.value.message
