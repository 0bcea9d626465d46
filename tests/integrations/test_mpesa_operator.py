"""Reversal, status, balance, pull: over the sandbox, and what its later answers mean."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from core.clock import utc_now
from core.currency import Currency
from core.money import Money
from core.phone import Phone
from integrations.errors import (
    OutcomeUnknown,
    ProviderRejected,
    ProviderUnavailable,
)
from integrations.mpesa.client import MpesaClient
from integrations.mpesa.operator_codes import RESULTS, Verdict
from integrations.mpesa.results import OperatorResult, read_balances, read_result, read_status
from integrations.mpesa.told import C2BConfirmation
from integrations.protocol import Paid, Question, RefundPending, RefundRequest
from integrations.sandbox import daraja_plans, demo
from tests.integrations.conftest import PROMPT, MakeClient
from tests.integrations.scripted import Scripted, answer, scripted_server
from tests.sandbox import RunningSandbox

PHONE = "254700000001"


@pytest.fixture
async def listener() -> AsyncIterator[Scripted]:
    async with scripted_server(answer(200, {"ResultCode": 0, "ResultDesc": "Accepted"})) as server:
        yield server


def refund_of(listener: Scripted, receipt: str | None, minor: int = 150_000) -> RefundRequest:
    whole = Money(150_000, Currency.KES)
    return RefundRequest(
        refund_id="rfd_1",
        payment=Question("ws_CO_1", whole, PROMPT.payment_id, PROMPT.tenant),
        amount=Money(minor, Currency.KES),
        receipt=receipt,
        reason="returned @ the shop",
        result_url=f"{listener.url}/hooks/a/b",
    )


async def paid_receipt(sandbox: RunningSandbox, amount: str = "1500") -> str:
    return str((await sandbox.pay_by_hand(demo.DEMO_PAYBILL, amount, PHONE, "INV1"))["receipt"])


async def results(listener: Scripted, count: int = 1, path: str = "/hooks/a/b") -> list[OperatorResult]:
    return [read_result(json.dumps(body).encode()) for body in await listener.messages(count, path)]


async def test_a_reversal_is_taken_and_its_result_comes_later(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    receipt = await paid_receipt(sandbox)

    taken = await client.refund_payment(refund_of(listener, receipt))

    (result,) = await results(listener)
    assert taken == RefundPending(result.conversation_id)
    assert result.is_done
    assert result.first("OriginalTransactionID") == receipt
    assert result.amount() == Money(150_000, Currency.KES)
    book = await sandbox.book()
    assert [(row["receipt"], row["amount"]) for row in book["refunded"]] == [(receipt, "1500.00")]
    assert book["refunded"][0]["reversal"] == result.receipt


async def test_a_receipt_is_given_back_once(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    receipt = await paid_receipt(sandbox)

    await client.refund_payment(refund_of(listener, receipt))
    await listener.messages(1, "/hooks")
    await client.refund_payment(refund_of(listener, receipt))

    second = (await results(listener, 2))[1]
    assert (second.code, second.meaning.verdict) == ("R000001", Verdict.REPEATED)
    assert len((await sandbox.book())["refunded"]) == 1


async def test_an_unknown_receipt_is_refused_in_the_result(client: MpesaClient, listener: Scripted) -> None:
    await client.refund_payment(refund_of(listener, "TKX9999999"))

    (result,) = await results(listener)
    assert (result.code, result.meaning.verdict) == ("R000002", Verdict.FAILED)
    assert result.receipt is not None, "a failure carries a filler, which nobody may take for a receipt"


@pytest.mark.parametrize(
    ("receipt", "minor", "code"), [("TKX1", 100, "partial_refund"), (None, 150_000, "receipt")]
)
async def test_what_mpesa_cannot_give_back_is_refused_before_calling(  # noqa: PLR0917 - fixtures and a row
    client: MpesaClient,
    listener: Scripted,
    sandbox: RunningSandbox,
    receipt: str | None,
    minor: int,
    code: str,
) -> None:
    with pytest.raises(ProviderRejected) as refused:
        await client.refund_payment(refund_of(listener, receipt, minor))

    assert refused.value.code == code
    assert (await sandbox.book())["requests"] == []


@pytest.mark.parametrize(
    ("outcome", "error", "is_taken"),
    [
        ("busy", ProviderUnavailable, False),
        ("quota", ProviderUnavailable, False),
        ("refused", ProviderRejected, False),
        ("maintenance", OutcomeUnknown, False),
        ("system_error_after_acceptance", OutcomeUnknown, True),
        ("html", OutcomeUnknown, True),
        ("timeout_before_acceptance", OutcomeUnknown, False),
        ("timeout_after_acceptance", OutcomeUnknown, True),
        ("reset_before_acceptance", OutcomeUnknown, False),
        ("reset_after_acceptance", OutcomeUnknown, True),
    ],
)
async def test_each_way_a_reversal_is_not_acknowledged(  # noqa: PLR0917 - fixtures and a row
    client: MpesaClient,
    sandbox: RunningSandbox,
    listener: Scripted,
    outcome: str,
    error: type[Exception],
    is_taken: bool,  # noqa: FBT001 - a row of the table
) -> None:
    receipt = await paid_receipt(sandbox)
    await sandbox.plan("mpesa", outcome, operation="reversal")

    with pytest.raises(error):
        await client.refund_payment(refund_of(listener, receipt))

    assert len((await sandbox.book())["requests"]) == int(is_taken)


@pytest.mark.parametrize(("kind", "code"), [(name, row[0]) for name, row in daraja_plans.RESULTS.items()])
async def test_every_result_code_is_produced_and_read(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted, kind: str, code: str
) -> None:
    receipt = await paid_receipt(sandbox)
    await sandbox.plan("mpesa", kind, operation="reversal")

    await client.refund_payment(refund_of(listener, receipt))

    (result,) = await results(listener)
    assert result.code == code
    assert result.meaning.verdict is (RESULTS[code].verdict if code in RESULTS else Verdict.UNSURE)
    # Of a receipt that is reversed already, somebody gave the money back before.
    assert len((await sandbox.book())["refunded"]) == (kind in {"success", "already_reversed"})


async def test_a_wrong_password_shows_in_the_result_only_and_locks_the_operator(
    make_client: MakeClient, listener: Scripted
) -> None:
    client = make_client(operator_password="wrong")

    for _ in range(4):
        await client.operator().ask_balance(f"{listener.url}/hooks/a/b")

    codes = sorted(result.code for result in await results(listener, 4))
    assert codes == ["2001", "2001", "2001", "8006"]


async def test_a_channel_without_an_operator_is_told_so(make_client: MakeClient, listener: Scripted) -> None:
    with pytest.raises(ProviderRejected) as refused:
        await make_client(operator_password=None).refund_payment(refund_of(listener, "TKX1"))

    assert refused.value.code == "operator"


async def test_the_balance_is_read_from_its_one_text(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    await paid_receipt(sandbox, "250")

    taken = await client.operator().ask_balance(f"{listener.url}/hooks/a/b")

    (result,) = await results(listener)
    assert result.conversation_id == taken.conversation_id
    balances = {each.name: each.available for each in read_balances(result)}
    assert balances == {
        "Working Account": Money(125_000, Currency.KES),
        "Utility Account": Money(50_000, Currency.KES),
    }


@pytest.mark.parametrize("shape", daraja_plans.SHAPES)
async def test_a_status_is_read_in_every_shape(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted, shape: str
) -> None:
    receipt = await paid_receipt(sandbox)
    await sandbox.plan("mpesa", {"operation": "transaction_status", "shape": shape})

    await client.operator().ask_status(f"{listener.url}/hooks/a/b", receipt=receipt)

    (result,) = await results(listener)
    status = read_status(result)
    assert result.is_done
    assert status.is_completed is (shape != "single"), "a single parameter is another one than the status"
    assert status.receipt == (receipt if shape != "single" else None)


async def test_a_reversal_whose_result_was_lost_is_found_by_its_id_or_its_receipt(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    receipt = await paid_receipt(sandbox)
    await sandbox.plan("mpesa", "missing_result", operation="reversal")
    refund = refund_of(listener, receipt)
    taken = await client.refund_payment(refund)
    assert isinstance(taken, RefundPending)

    await client.query_refund(refund, taken.provider_reference)
    await listener.messages(1, "/hooks")
    with pytest.raises(ProviderUnavailable):
        await client.query_refund(refund, None)

    by_id, by_receipt = [read_status(result) for result in await results(listener, 2)]
    assert (by_id.is_completed, by_id.amount) == (True, Money(150_000, Currency.KES))
    assert taken.provider_reference in by_id.conversation_ids
    assert (by_receipt.is_reversed, by_receipt.receipt) == (True, receipt)


@pytest.mark.parametrize(
    ("kind", "is_back"), [("queue_timeout_before", False), ("queue_timeout_after", True)]
)
async def test_a_request_that_waited_too_long_is_told_at_the_other_url(
    client: MpesaClient,
    sandbox: RunningSandbox,
    listener: Scripted,
    kind: str,
    is_back: bool,  # noqa: FBT001 - a row
) -> None:
    receipt = await paid_receipt(sandbox)
    await sandbox.plan("mpesa", kind, operation="reversal")

    await client.refund_payment(refund_of(listener, receipt))

    await listener.messages(1, "/hooks/a/bt")
    assert [path for path, _ in listener.received] == ["/hooks/a/bt"]
    assert bool((await sandbox.book())["refunded"]) is is_back


async def test_missed_payments_are_pulled(client: MpesaClient, sandbox: RunningSandbox) -> None:
    puller, now = client.puller(), utc_now()
    await puller.register(Phone.parse(PHONE), "https://pay.example.com/hooks/a")
    await puller.register(Phone.parse(PHONE), "https://pay.example.com/hooks/a")
    window = (now - timedelta(hours=1), now + timedelta(minutes=1))
    assert [row async for row in puller.payments(*window)] == []
    receipts = [await paid_receipt(sandbox, f"{amount}.00") for amount in range(1, 4)]
    await client.create_payment(PROMPT)
    await sandbox.release()

    pulled = [row async for row in puller.payments(*window)]

    assert [row.receipt for row in pulled if row.reference == "INV1"] == receipts
    assert len(pulled) == len(receipts) + 1
    row = next(row for row in pulled if row.receipt == receipts[0])
    assert row == replace(
        row,
        amount=Money(100, Currency.KES),
        short_code=demo.DEMO_PAYBILL,
        phone_masked="2547 ***** 001",
        kind="paybill",
    )
    assert isinstance(row, C2BConfirmation)
    assert row.occurred_at is not None
    assert abs(row.occurred_at - now) < timedelta(minutes=1)


async def test_an_stk_payment_can_be_given_back_by_its_receipt(
    client: MpesaClient, sandbox: RunningSandbox, listener: Scripted
) -> None:
    accepted = await client.create_payment(PROMPT)
    await sandbox.release()
    assert isinstance(
        await client.query_payment(
            Question(accepted.provider_reference, PROMPT.amount, PROMPT.payment_id, PROMPT.tenant)
        ),
        Paid,
    )
    (paid,) = (await sandbox.book())["paid"]

    await client.refund_payment(refund_of(listener, paid["receipt"]))

    assert (await results(listener))[0].is_done
