import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.currency import Currency
from core.money import Money
from integrations.errors import BadMessage, FailureReason
from integrations.mpesa.events import (
    CONFIRMATION_ANSWER,
    ValidationRefusal,
    accept_validation,
    is_known_source_ip,
    masked,
    read_c2b_confirmation,
    read_c2b_validation,
    read_stk_result,
    refuse_validation,
)
from integrations.mpesa.told import C2BConfirmation, StkResult
from integrations.protocol import NotPaid, Paid

PAID = b"""{"Body":{"stkCallback":{"MerchantRequestID":"1111-aaaa-0001",
 "CheckoutRequestID":"ws_CO_21112026103001000700000001","ResultCode":0,
 "ResultDesc":"The service request is processed successfully.","CallbackMetadata":{"Item":[
 {"Name":"Amount","Value":1500.00},{"Name":"MpesaReceiptNumber","Value":"TKX0000001"},{"Name":"Balance"},
 {"Name":"TransactionDate","Value":20261121103015},{"Name":"PhoneNumber","Value":254700000001}]}}}}"""
CONFIRMED = b"""{"TransactionType":"Pay Bill","TransID":"TKX0000002","TransTime":"20261121121325",
 "TransAmount":"1000.00","BusinessShortCode":"600000","BillRefNumber":" VIP001 ","InvoiceNumber":"",
 "OrgAccountBalance":"25000.00","ThirdPartyTransID":"","MSISDN":"2547 ***** 001","FirstName":"JANE",
 "MiddleName":"","LastName":null}"""


def stk(**changes: object) -> bytes:
    callback: dict[str, Any] = {"MerchantRequestID": "1", "CheckoutRequestID": "ws_CO_1", "ResultCode": 1032}
    return json.dumps({"Body": {"stkCallback": {**callback, **changes}}}).encode()


def paid(**items: object) -> bytes:
    listed = [{"Name": name, "Value": value} for name, value in items.items()]
    return stk(ResultCode=0, CallbackMetadata={"Item": listed})


def c2b(**changes: object) -> bytes:
    return json.dumps({**json.loads(CONFIRMED), **changes}).encode()


def test_a_success_tells_amount_receipt_and_time() -> None:
    assert read_stk_result(PAID) == StkResult(
        provider_reference="ws_CO_21112026103001000700000001",
        request_reference="1111-aaaa-0001",
        answer=Paid(Money(150_000, Currency.KES), "TKX0000001"),
        phone_masked="+2547*****001",
        occurred_at=datetime(2026, 11, 21, 7, 30, 15, tzinfo=UTC),
    )


@pytest.mark.parametrize("code", [1032, "1032"])
def test_a_result_code_is_the_same_as_number_and_as_text(code: int | str) -> None:
    told = read_stk_result(stk(ResultCode=code, ResultDesc="Request cancelled by user"))

    assert told.answer == NotPaid(
        FailureReason.CANCELLED_BY_PAYER, "1032", "Request cancelled by user", is_sure=True
    )
    assert told.phone_masked is None
    assert told.occurred_at is None


def test_a_repeated_verdict_has_the_same_id_and_a_contradicting_one_another() -> None:
    verdicts = [
        stk(),
        stk(ResultCode=1037),
        paid(Amount=10, MpesaReceiptNumber="TKX0000001"),
        paid(Amount=11, MpesaReceiptNumber="TKX0000001"),
        paid(Amount=10, MpesaReceiptNumber="TKX0000002"),
        stk(CheckoutRequestID="ws_CO_2"),
    ]

    ids = [read_stk_result(body).external_id for body in verdicts]

    assert len(set(ids)) == len(verdicts)
    assert ids == [read_stk_result(body + b" ").external_id for body in verdicts]


@pytest.mark.parametrize(
    "amount",
    [
        True,
        None,
        "",
        "-1",
        -1,
        0,
        "1,500",
        "1_500",
        "\u0661\u0665",
        10.005,
        "1e3",
        1e30,
        "NaN",
        [],
        "1" * 300,
    ],
)
def test_an_amount_that_is_none_proves_nothing(amount: object) -> None:
    told = read_stk_result(paid(Amount=amount, MpesaReceiptNumber="TKX0000001"))

    assert told.answer == Paid(None, "TKX0000001")


@pytest.mark.parametrize(("amount", "minor"), [(10, 1_000), ("10.50", 1_050), (10.5, 1_050), ("10", 1_000)])
def test_an_amount_is_read_exactly(amount: object, minor: int) -> None:
    told = read_stk_result(paid(Amount=amount))

    assert told.answer == Paid(Money(minor, Currency.KES), None)


def test_a_single_item_may_come_without_its_list() -> None:
    body = stk(ResultCode=0, CallbackMetadata={"Item": {"Name": "MpesaReceiptNumber", "Value": "TKX0000001"}})

    assert read_stk_result(body).answer == Paid(None, "TKX0000001")


def test_text_from_outside_can_be_stored_in_a_database() -> None:
    told = read_stk_result(stk(ResultDesc="a\x00b\ud800\n" + "c" * 5_000)).answer

    assert isinstance(told, NotPaid)
    assert told.message.startswith("abc")
    assert len(told.message) == 200
    told.message.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"Body": {"stkCallback": []}}',
        b'{"Body": {"stkCallback": {"ResultCode": NaN}}}',
        b'{"Body": ' + b"9" * 10_000 + b"}",
        b'{"Body": 1e99999999999999999999}',
        stk(ResultDesc=float("nan")),
        stk(ResultCode=None),
        stk(ResultCode=True),
        stk(ResultCode="4999"),
        stk(CheckoutRequestID=None),
        stk(CheckoutRequestID="ws CO 1"),
        stk(CheckoutRequestID="x" * 101),
        stk(MerchantRequestID=""),
    ],
)
def test_what_is_no_callback_is_refused(body: bytes) -> None:
    with pytest.raises(BadMessage):
        read_stk_result(body)


def test_a_confirmation_tells_who_paid_what_for_which_account() -> None:
    told = read_c2b_confirmation(CONFIRMED)

    assert told == C2BConfirmation(
        receipt="TKX0000002",
        amount=Money(100_000, Currency.KES),
        reference="VIP001",
        short_code="600000",
        phone_masked="2547 ***** 001",
        occurred_at=datetime(2026, 11, 21, 9, 13, 25, tzinfo=UTC),
        kind="paybill",
    )
    assert told.external_id == "TKX0000002"


@pytest.mark.parametrize("name", ["Buy Goods", "Customer Merchant Payment", "", None, "anything"])
def test_every_other_transaction_type_is_a_tills(name: str | None) -> None:
    told = read_c2b_confirmation(c2b(TransactionType=name, BillRefNumber=None))

    assert (told.kind, told.reference) == ("till", "")


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("254700000001", "+2547*****001"),
        ("2547 ***** 001", "2547 ***** 001"),
        ("a" * 64, "a" * 64),
        ("", ""),
    ],
)
def test_a_clear_number_is_masked_and_the_rest_kept(number: str, kept: str) -> None:
    assert masked(number) == kept
    assert read_c2b_confirmation(c2b(MSISDN=number)).phone_masked == kept


@pytest.mark.parametrize(
    "change",
    [
        {"TransID": ""},
        {"TransID": "TKX 1"},
        {"TransAmount": "0.00"},
        {"TransAmount": None},
        {"BusinessShortCode": "x"},
    ],
)
def test_what_is_no_confirmation_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadMessage):
        read_c2b_confirmation(c2b(**change))


def test_a_time_that_cant_be_read_does_not_lose_the_money() -> None:
    assert read_c2b_confirmation(c2b(TransTime="yesterday")).occurred_at is None


def test_a_validation_is_another_event_than_a_confirmation() -> None:
    validation = read_c2b_validation(c2b(OrgAccountBalance=""))

    assert validation.receipt == read_c2b_confirmation(CONFIRMED).receipt
    assert not isinstance(validation, C2BConfirmation)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
STK_KEYS = ["MerchantRequestID", "CheckoutRequestID", "ResultCode", "ResultDesc", "CallbackMetadata"]


@given(st.binary())
def test_any_bytes_are_an_event_or_refused(body: bytes) -> None:
    for read in (read_stk_result, read_c2b_confirmation, read_c2b_validation):
        try:
            read(body)
        except BadMessage:
            continue


@given(
    st.dictionaries(st.sampled_from(STK_KEYS), JSON_VALUES), st.lists(JSON_VALUES, max_size=3), JSON_VALUES
)
def test_any_json_in_a_callbacks_place_is_an_event_or_refused(
    callback: dict[str, object], items: list[object], amount: object
) -> None:
    named = [*items, {"Name": "Amount", "Value": amount}]
    defaults = {"MerchantRequestID": "1", "CheckoutRequestID": "2", "ResultCode": 0}
    metadata = {"CallbackMetadata": {"Item": named}}
    body = json.dumps({"Body": {"stkCallback": {**defaults, **metadata, **callback}}}).encode()
    try:
        told = read_stk_result(body)
    except BadMessage:
        return
    assert told.external_id.isprintable()
    if isinstance(told.answer, Paid) and told.answer.amount is not None:
        assert told.answer.amount.minor > 0


@given(st.dictionaries(st.sampled_from(list(json.loads(CONFIRMED))), JSON_VALUES))
def test_any_json_in_a_confirmations_place_is_an_event_or_refused(changes: dict[str, object]) -> None:
    try:
        told = read_c2b_confirmation(c2b(**changes))
    except BadMessage:
        return
    assert told.amount.minor > 0
    assert told.reference.isprintable()


def test_answers_have_the_words_mpesa_expects() -> None:
    assert CONFIRMATION_ANSWER == {"ResultCode": 0, "ResultDesc": "Success"}
    assert accept_validation() == {"ResultCode": "0", "ResultDesc": "Accepted"}
    assert accept_validation("pay_1")["ThirdPartyTransID"] == "pay_1"
    assert refuse_validation(ValidationRefusal.ACCOUNT) == {
        "ResultCode": "C2B00012",
        "ResultDesc": "Rejected",
    }


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("196.201.214.200", True),
        ("196.201.212.74", True),
        ("196.201.214.201", False),
        ("::1", False),
        ("not an address", False),
        ("", False),
    ],
)
def test_only_known_addresses_are_safaricoms(address: str, *, known: bool) -> None:
    assert is_known_source_ip(address) is known


def test_the_list_of_addresses_may_hold_networks() -> None:
    assert is_known_source_ip("10.1.2.3", ["10.0.0.0/8"])
    assert not is_known_source_ip("196.201.214.200", [])
