from integrations.mpesa.client import MpesaClient
from integrations.protocol import Paid
from tests.integrations.conftest import PROMPT
from tests.sandbox import RunningSandbox


async def test_a_prompt_is_taken_once_and_can_be_asked_about(
    client: MpesaClient, sandbox: RunningSandbox
) -> None:
    accepted = await client.prompt(PROMPT)

    await sandbox.release()
    book = await sandbox.book()
    assert [taken["id"] for taken in book["stk"]] == [accepted.provider_reference]
    assert book["stk"][0]["amount"] == 1_500
    assert await client.query(accepted.provider_reference) == Paid()
