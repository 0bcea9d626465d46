import asyncio

import pytest
from starlette.responses import Response

from integrations.errors import ProviderUnavailable
from integrations.http import Call
from integrations.mpesa.client import MpesaClient
from integrations.sandbox.refusals import Dropped
from tests.integrations.conftest import PROMPT, MakeClient, prompt_of
from tests.integrations.scripted import answer, scripted_server
from tests.sandbox import RunningSandbox


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
        Dropped(),
    ],
)
async def test_without_a_token_nothing_was_sent(make_client: MakeClient, token: Response) -> None:
    async with scripted_server() as server:
        server.token = token

        with pytest.raises(ProviderUnavailable):
            await make_client(base_url=server.url).create_payment(PROMPT)

        assert [path for path, _ in server.received] == ["/oauth/v1/generate"]


async def test_a_token_that_another_process_ended_is_renewed_once(
    make_client: MakeClient, sandbox: RunningSandbox, calls: list[Call]
) -> None:
    first, second = make_client(), make_client()
    await first.create_payment(PROMPT)
    await second.create_payment(prompt_of(reference="INV1043"))

    await first.create_payment(prompt_of(reference="INV1044"))

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
    await client.create_payment(PROMPT)
    await sandbox.control("mpesa/tokens", error={"status": status, "code": code, "message": message})

    await client.create_payment(prompt_of(reference="INV1043"))

    assert len((await sandbox.book())["stk"]) == 2


async def test_a_token_refused_twice_is_given_up(make_client: MakeClient) -> None:
    refusal = answer(401, {"errorCode": "401.003.01", "errorMessage": "Invalid Access Token"})
    async with scripted_server(refusal) as server:
        with pytest.raises(ProviderUnavailable):
            await make_client(base_url=server.url).create_payment(PROMPT)

        paths = [path.rpartition("/")[2] for path, _ in server.received]
        assert paths == ["generate", "processrequest", "generate", "processrequest"]


async def test_prompts_at_the_same_time_share_one_token(
    client: MpesaClient, sandbox: RunningSandbox, calls: list[Call]
) -> None:
    prompts = [prompt_of(reference=f"INV{number}") for number in range(20)]

    await asyncio.gather(*(client.create_payment(prompt) for prompt in prompts))

    assert len((await sandbox.book())["stk"]) == 20
    assert [call.operation for call in calls].count("token") == 1
