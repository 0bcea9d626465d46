"""What is sent to collect, and what the payer has to do."""

import pytest

from core.collecting import ActionKind, CaptureMode, Method
from core.currency import Currency
from core.money import Money
from core.phone import Phone
from integrations.account import NotConfigured
from integrations.errors import ProviderRejected
from integrations.paystack.requests import Collecting, charge_body, page_body
from integrations.paystack.units import from_subunits
from integrations.protocol import Intent, Paid, StillPending
from tests.integrations.paystack.conftest import (
    FEE,
    KES_1500,
    Desk,
    MakeDesk,
    account_of,
    page_of,
    prompt_of,
    question_of,
    step_of,
)

BASE = "http://127.0.0.1:1"
GHANA = Phone.parse("+233241234567")
GHS_20 = Money(2_000, Currency.GHS)


async def test_a_kenyan_phone_is_prompted_and_the_receipt_is_the_whole_transaction_id(desk: Desk) -> None:
    intent = prompt_of()

    accepted = await desk.client.create_payment(intent)

    assert accepted.provider_reference == intent.attempt_key
    assert step_of(accepted) is ActionKind.APPROVE_PROMPT
    await desk.release()
    answer = await desk.client.query_payment(question_of(intent))
    (row,) = await desk.rows("paid")
    assert answer == Paid(KES_1500, row["receipt"], FEE)
    assert int(row["receipt"]) > 2**53
    assert (row["payment_id"], row["amount_minor"]) == (intent.payment_id, 150_000)


async def test_others_are_sent_to_a_page_that_is_paid_after_a_moment(desk: Desk) -> None:
    await desk.plan({"kind": "success", "delay_s": 60})
    intent = page_of()

    accepted = await desk.client.create_payment(intent)

    assert isinstance(accepted.answer, StillPending)
    action = accepted.answer.next_action
    assert action is not None
    assert action.kind is ActionKind.REDIRECT
    page = await desk.sandbox.http.get(action.url or "")
    assert "KES 1500.00" in page.text
    assert f"https://shop.example.com/r/1042?trxref={intent.attempt_key}" in page.text
    assert await desk.client.query_payment(question_of(intent)) == StillPending()
    await desk.release()
    assert isinstance(await desk.client.query_payment(question_of(intent)), Paid)


@pytest.mark.parametrize("intent", [prompt_of(), page_of()], ids=["prompt", "page"])
async def test_a_creation_that_is_sent_again_collects_once(desk: Desk, intent: Intent) -> None:
    await desk.client.create_payment(intent)
    await desk.release()

    again = await desk.client.create_payment(intent)

    assert isinstance(again.answer, Paid)
    assert len(await desk.rows("paid")) == 1


@pytest.mark.parametrize(
    ("settings", "phone", "amount", "wallet"),
    [
        ({}, "+254700000001", KES_1500, {"phone": "+254700000001", "provider": "mpesa"}),
        (
            {"mpesa_phone_prefix": ""},
            "+254110000001",
            KES_1500,
            {"phone": "254110000001", "provider": "mpesa"},
        ),
        (
            {"mpesa_provider": "mpesa_offline"},
            "+254700000001",
            KES_1500,
            {"phone": "254700000001", "provider": "mpesa_offline"},
        ),
        (
            {"mpesa_provider": "mptill", "till_number": "5100001"},
            "+254700000001",
            KES_1500,
            {"account": "5100001", "provider": "mptill"},
        ),
        (
            {"ghana_networks": {"233": "vod", "23324": "mtn"}},
            "+233241234567",
            GHS_20,
            {"phone": "0241234567", "provider": "mtn"},
        ),
        ({"ghana_networks": {"23350": "vod"}}, "+233241234567", GHS_20, None),
        ({}, "+256700000001", KES_1500, None),
        ({}, "+254700000001", Money(1_000, Currency.USD), None),
    ],
)
def test_a_wallet_is_written_as_its_provider_wants_it_or_the_payer_gets_a_page(
    settings: dict[str, object], phone: str, amount: Money, wallet: dict[str, str] | None
) -> None:
    collecting = Collecting.of(account_of(BASE, settings=settings))

    assert collecting.wallet(prompt_of(phone=Phone.parse(phone), amount=amount)) == wallet


@pytest.mark.parametrize(
    ("method", "channel"),
    [(Method.CARD, "card"), (Method.BANK_TRANSFER, "bank_transfer"), (Method.MOBILE_MONEY, "mobile_money")],
)
def test_a_page_takes_the_method_alone(method: Method, channel: str) -> None:
    intent = prompt_of(method=method, email=None)

    body = page_body(intent, Collecting(alias_domain="pay.example.com"))

    assert body == {
        "email": f"{intent.payment_id}@pay.example.com",
        "amount": 150_000,
        "currency": "KES",
        "reference": intent.attempt_key,
        "metadata": {"payment_id": intent.payment_id, "tenant": intent.tenant},
        "channels": [channel],
        "callback_url": "https://shop.example.com/r/1042",
    }


@pytest.mark.parametrize(
    ("amount", "subunits"),
    [
        (Money(150_000, Currency.KES), 150_000),
        (Money(1_050, Currency.USD), 1_050),
        (Money(500, Currency.XOF), 50_000),
    ],
)
def test_amounts_are_counted_in_hundredths(amount: Money, subunits: int) -> None:
    assert page_body(page_of(amount=amount), Collecting())["amount"] == subunits


@pytest.mark.parametrize(
    ("subunits", "code", "amount"),
    [
        (150_000, "KES", Money(150_000, Currency.KES)),
        (50_000, "XOF", Money(500, Currency.XOF)),
        # A part of a franc is no amount: it is left out, not rounded.
        (50_050, "XOF", None),
        (1, "EUR", None),
        (1, "", None),
    ],
)
def test_what_paystack_counts_is_read_exactly_or_not(subunits: int, code: str, amount: Money | None) -> None:
    assert from_subunits(subunits, code) == amount


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": Money(150_050, Currency.KES)}, "amount"),
        ({"amount": Money(0, Currency.KES)}, "amount"),
        ({"amount": Money(100, Currency.EUR), "method": Method.CARD}, "currency"),
        ({"attempt_key": "a_b"}, "reference"),
        ({"attempt_key": ""}, "reference"),
        ({"capture": CaptureMode.MANUAL}, "not_supported"),
        ({"email": None}, "email"),
    ],
)
async def test_what_paystack_would_refuse_is_refused_before_it_is_sent(
    make_desk: MakeDesk, changes: dict[str, object], code: str
) -> None:
    desk = make_desk(settings={})

    with pytest.raises(ProviderRejected) as refused:
        await desk.client.create_payment(prompt_of(**changes))

    assert refused.value.code == code
    assert desk.calls == []


@pytest.mark.parametrize(
    "settings",
    [
        {"mpesa_provider": "airtel"},
        {"mpesa_phone_prefix": "+254"},
        {"mpesa_provider": "mptill"},
        {"alias_email_domain": "no domain"},
    ],
)
def test_settings_that_cannot_work_are_named(settings: dict[str, object]) -> None:
    with pytest.raises(NotConfigured):
        Collecting.of(account_of(BASE, settings=settings))


def test_details_of_the_account_come_before_the_catalogs_settings() -> None:
    account = account_of(BASE, details={"alias_email_domain": "own.example.com"})

    assert Collecting.of(account).alias_domain == "own.example.com"


def test_a_charge_holds_what_a_page_does_but_the_channels() -> None:
    intent = prompt_of()
    wallet = Collecting().wallet(intent)
    assert wallet is not None

    body = charge_body(intent, Collecting(), wallet)

    assert set(body) == {"email", "amount", "currency", "reference", "metadata", "mobile_money"}
