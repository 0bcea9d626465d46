"""The provider's own list, for the nightly sweep; and a sandbox that goes on after a restart."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from core.clock import utc_now
from integrations.account import Outside
from integrations.errors import ProviderUnavailable
from integrations.http import ignore_call
from integrations.mpesa.tokens import ProcessTokens
from integrations.paystack import questions
from integrations.paystack.building import paystack_client
from integrations.protocol import ListedPayment, Mismatch, NotPaid, Paid, StillPending
from integrations.sandbox.settings import SandboxSettings
from tests.integrations.paystack.conftest import (
    FEE,
    KES_1500,
    PAYSTACK,
    Desk,
    MakeDesk,
    account_of,
    prompt_of,
    question_of,
    refund_of,
)
from tests.integrations.scripted import answer, scripted_server
from tests.sandbox import RunningSandbox, running_sandbox

DAY = timedelta(days=1)


async def listed(desk: Desk, *, until_s: float = 60) -> dict[str, ListedPayment]:
    now = utc_now()
    span = desk.client.list_payments(now - DAY, now + timedelta(seconds=until_s))
    return {payment.provider_reference: payment async for payment in span}


async def test_every_transaction_of_the_account_is_listed_with_what_became_of_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "PAGE_ENTRIES", 2)
    kinds = {"success": Paid, "declined": NotPaid, "abandoned": StillPending, "reversed": Mismatch}
    more = {"other_mode": Mismatch, "underpaid": Mismatch, "metadata_text": Paid}
    intents = {kind: prompt_of() for kind in [*kinds, *more]}
    for kind, intent in intents.items():
        await desk.plan(kind)
        await desk.client.create_payment(intent)
        if kind != "abandoned":
            await desk.release(reference=intent.attempt_key)

    found = await listed(desk)

    assert set(found) == {intent.attempt_key for intent in intents.values()}
    for kind, expected in {**kinds, **more}.items():
        entry = found[intents[kind].attempt_key]
        assert isinstance(entry.answer, expected), kind
        assert entry.payment_id == intents[kind].payment_id
        assert entry.attempt_key == intents[kind].attempt_key
        assert abs(entry.created_at - utc_now()) < timedelta(minutes=5)
    paid = found[intents["success"].attempt_key].answer
    assert isinstance(paid, Paid)
    assert (paid.amount, paid.fee) == (KES_1500, FEE)
    # Seven entries by twos: the fourth page is the last.
    assert desk.operations.count("list") == 4
    assert await listed(desk, until_s=-3_600) == {}


@pytest.mark.parametrize("data", [{}, None, [{}], [7], [{"id": 1, "reference": "x"}]])
async def test_a_list_that_cannot_be_read_is_not_taken_for_an_empty_one(
    make_desk: MakeDesk, data: object
) -> None:
    async with scripted_server(answer(200, {"status": True, "message": "", "data": data})) as server:
        with pytest.raises(ProviderUnavailable):
            await listed(make_desk(server.url))


async def test_a_list_without_an_end_is_given_up(
    make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "PAGE_ENTRIES", 1)
    monkeypatch.setattr(questions, "PAGES_MAX", 3)
    entry = {"id": 1, "status": "failed", "reference": "x"}
    async with scripted_server(answer(200, {"status": True, "message": "", "data": [entry]})) as server:
        with pytest.raises(ProviderUnavailable, match="without an end"):
            await listed(make_desk(server.url))


async def test_the_sandbox_goes_on_where_it_was_cut_off(tmp_path: Path, http: httpx.AsyncClient) -> None:
    settings = SandboxSettings(think_time_s=60, mail_port=None, book_path=tmp_path / "book")
    intent = prompt_of()
    async with running_sandbox(settings) as sandbox:
        await desk_of(sandbox, http).client.create_payment(intent)

    async with running_sandbox(settings) as sandbox:
        desk = desk_of(sandbox, http)
        assert await desk.client.query_payment(question_of(intent)) == StillPending()
        await desk.release()
        ordered = await desk.client.refund_payment(refund_of(intent))

    async with running_sandbox(settings) as sandbox:
        desk = desk_of(sandbox, http)
        await desk.release()
        (row,) = await desk.rows("refunded")
        assert row["receipt"] == getattr(ordered, "provider_reference", None)
        assert len(await desk.rows("paid")) == 1


def desk_of(sandbox: RunningSandbox, http: httpx.AsyncClient) -> Desk:
    outside = Outside(http, ProcessTokens(utc_now), utc_now)
    client = paystack_client(account_of(sandbox.url_of(PAYSTACK)), outside, ignore_call)
    return Desk(client, sandbox, [], None)  # type: ignore[arg-type] # nobody looks at this clock
