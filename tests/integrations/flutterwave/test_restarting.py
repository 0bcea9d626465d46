"""A sandbox that is killed forgets nothing that was taken, paid or due to be told."""

from pathlib import Path

import httpx

from core.clock import utc_now
from integrations.account import Outside
from integrations.flutterwave.building import flutterwave_client
from integrations.http import ignore_call
from integrations.mpesa.tokens import ProcessTokens
from integrations.protocol import Paid, Refunded
from integrations.sandbox.settings import SandboxSettings
from tests.integrations.flutterwave.conftest import (
    FLUTTERWAVE,
    account_of,
    page_of,
    prompt_of,
    question_of,
    refund_of,
)
from tests.sandbox import running_sandbox


async def test_payers_act_and_money_stays_given_back_after_a_restart(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    outside = Outside(http, ProcessTokens(utc_now), utc_now)
    intents = [prompt_of(), page_of()]
    path = tmp_path / "book.jsonl"
    async with running_sandbox(
        SandboxSettings(think_time_s=3_600, book_path=path, mail_port=None)
    ) as sandbox:
        client = flutterwave_client(account_of(sandbox.url_of(FLUTTERWAVE)), outside, ignore_call)
        for intent in intents:
            await client.create_payment(intent)
        assert (await sandbox.book_of(FLUTTERWAVE))["paid"] == []

    async with running_sandbox(SandboxSettings(think_time_s=0, book_path=path, mail_port=None)) as sandbox:
        client = flutterwave_client(account_of(sandbox.url_of(FLUTTERWAVE)), outside, ignore_call)
        await sandbox.release_webhooks(FLUTTERWAVE)
        answers = [await client.query_payment(question_of(intent)) for intent in intents]
        assert [type(answer) for answer in answers] == [Paid, Paid]
        await sandbox.plan(FLUTTERWAVE, {"kind": "success", "operation": "refund", "delay_s": 3_600})
        refund = refund_of(intents[0], None)
        await client.refund_payment(refund)

    async with running_sandbox(SandboxSettings(think_time_s=0, book_path=path, mail_port=None)) as sandbox:
        book = await sandbox.book_of(FLUTTERWAVE)
        assert [row["payment_id"] for row in book["paid"]] == [intent.payment_id for intent in intents]
        assert {row["state"] for row in book["webhooks"]} == {"refused"}
        client = flutterwave_client(account_of(sandbox.url_of(FLUTTERWAVE)), outside, ignore_call)
        await sandbox.release_webhooks(FLUTTERWAVE)
        assert isinstance(await client.query_refund(refund, None), Refunded)
