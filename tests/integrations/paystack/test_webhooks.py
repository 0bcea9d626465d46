"""Whose a webhook is, what it is a repeat of, and what it tells."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import utc_now
from core.currency import Currency
from core.money import Money
from integrations.errors import BadMessage
from integrations.paystack.webhooks import PaystackWebhooks, sign
from integrations.registry import integration_for
from integrations.sandbox import demo
from integrations.webhooks import BadSignature, DisputeStatus, DisputeTold, PaymentTold, RefundTold, Webhook
from tests.integrations.paystack.conftest import PAYSTACK

SCHEME = PaystackWebhooks()
KEY = demo.DEMO_PAYSTACK_SECRET_KEY
CHARGE: dict[str, Any] = {
    "id": 2**60 + 1,
    "domain": "live",
    "status": "success",
    "reference": "pay-01HF3X",
    "amount": 150_000,
    "currency": "KES",
    "metadata": {"payment_id": "pay_01HF3X", "tenant": "ten_9"},
}
REFUND = {
    "status": "processed",
    "transaction_reference": "pay-01HF3X",
    "refund_reference": "R1",
    "amount": "150000",
    "currency": "KES",
}
DISPUTE: dict[str, Any] = {
    "id": 2**60 + 3,
    "refund_amount": 75_000,
    "currency": "KES",
    "status": "awaiting-merchant-feedback",
    "resolution": None,
    "category": "fraud",
    "transaction": {"id": 2**60 + 1, "reference": "pay-01HF3X"},
    "dueAt": "2026-11-24T09:15:02.000Z",
}


def body_of(event: object, data: object) -> bytes:
    return json.dumps({"event": event, "data": data}).encode()


def signed(body: bytes, key: str = KEY) -> Webhook:
    return Webhook(body, {"x-paystack-signature": sign(body, key).decode()})


def test_the_scheme_is_the_one_that_is_registered() -> None:
    integration = integration_for(PAYSTACK)

    assert isinstance(integration.webhooks, PaystackWebhooks)
    assert integration.public_details == ("public_key",)
    assert (SCHEME.header_names, SCHEME.secret_names) == (("x-paystack-signature",), ("secret_key",))
    assert SCHEME.refusal_status == 401


def test_the_signature_is_hmac_sha512_in_lower_case_hex() -> None:
    # RFC 4231, test case 2.
    expected = (
        b"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        b"9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
    )

    assert sign(b"what do ya want for nothing?", "Jefe") == expected


def test_the_raw_bytes_are_signed_not_what_they_mean() -> None:
    spaced = b'{ "event" : "charge.success", "data": {"reference": "\xc3\xa9"} }'

    SCHEME.authenticate(signed(spaced), [KEY], utc_now())
    compact = json.dumps(json.loads(spaced), separators=(",", ":")).encode()
    with pytest.raises(BadSignature):
        SCHEME.authenticate(Webhook(compact, signed(spaced).headers), [KEY], utc_now())


def test_the_key_before_will_do_while_it_is_replaced() -> None:
    SCHEME.authenticate(signed(b"{}", "sk_test_old"), [KEY, "sk_test_old"], utc_now())


@pytest.mark.parametrize(
    "header",
    [None, "", "x", "é", "\udcff", sign(b"{}", "sk_test_other").decode(), sign(b"{}", KEY).decode().upper()],
)
@pytest.mark.parametrize("keys", [[KEY], [KEY, ""], [""], []])
def test_what_fits_no_key_is_refused(header: str | None, keys: list[str]) -> None:
    headers = {} if header is None else {"x-paystack-signature": header}
    with pytest.raises(BadSignature):
        SCHEME.authenticate(Webhook(b"{}", headers), keys, utc_now())


def test_an_empty_key_signs_for_nobody() -> None:
    with pytest.raises(BadSignature):
        SCHEME.authenticate(signed(b"{}", ""), ["", KEY], utc_now())


@pytest.mark.parametrize(
    ("event", "data", "external_id"),
    [
        ("charge.success", CHARGE, "charge.success:pay-01HF3X"),
        ("charge.failed", CHARGE, "charge.failed:pay-01HF3X"),
        ("refund.processed", REFUND, "refund.processed:pay-01HF3X:R1:150000"),
        ("refund.pending", {**REFUND, "refund_reference": None}, "refund.pending:pay-01HF3X::150000"),
        ("charge.dispute.create", DISPUTE, f"charge.dispute.create:{2**60 + 3}:awaiting-merchant-feedback"),
        ("transfer.failed", {"reference": "po-1"}, "transfer.failed:po-1"),
    ],
)
def test_a_repeat_has_the_id_of_its_first(event: str, data: dict[str, Any], external_id: str) -> None:
    assert SCHEME.external_id(body_of(event, data)) == external_id
    assert SCHEME.external_id(body_of(event, {**data, "gateway_response": "told again"})) == external_id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("refund.processed", REFUND), ("refund.processed", {**REFUND, "amount": "75000"})),
        (("refund.processed", REFUND), ("refund.failed", REFUND)),
        (("charge.dispute.remind", DISPUTE), ("charge.dispute.remind", {**DISPUTE, "status": "pending"})),
        (("charge.success", CHARGE), ("charge.success", {**CHARGE, "reference": "pay-01HF3Y"})),
        (("invoice.create", {"a": 1}), ("invoice.create", {"a": 2})),
        (("charge.success", {"reference": "x" * 500}), ("charge.success", {"reference": "y" * 500})),
    ],
)
def test_different_messages_have_different_ids(
    one: tuple[str, dict[str, Any]], other: tuple[str, dict[str, Any]]
) -> None:
    ids = [SCHEME.external_id(body_of(event, data)) for event, data in (one, other)]

    assert ids[0] != ids[1]
    assert max(map(len, ids)) <= 200


@pytest.mark.parametrize("event", ["charge.success", "charge.failed"])
def test_a_charge_is_only_a_reason_to_ask(event: str) -> None:
    (told,) = SCHEME.read(body_of(event, CHARGE))

    assert told == PaymentTold("pay-01HF3X", payment_id="pay_01HF3X", tenant="ten_9", is_live=True)
    assert isinstance(told, PaymentTold)
    assert told.answer is None


@pytest.mark.parametrize("metadata", ["", 0, None, [], "[]", "{", '{"payment_id": {}}'])
def test_a_charge_without_our_metadata_still_names_its_reference(metadata: object) -> None:
    (told,) = SCHEME.read(body_of("charge.success", {"reference": "pay-01HF3X", "metadata": metadata}))

    assert told == PaymentTold("pay-01HF3X")


def test_metadata_may_come_as_text() -> None:
    (told,) = SCHEME.read(body_of("charge.success", {**CHARGE, "metadata": json.dumps(CHARGE["metadata"])}))

    assert told == PaymentTold("pay-01HF3X", payment_id="pay_01HF3X", tenant="ten_9", is_live=True)


@pytest.mark.parametrize("status", ["pending", "processing", "processed", "failed"])
def test_a_refund_is_only_a_reason_to_ask(status: str) -> None:
    assert SCHEME.read(body_of(f"refund.{status}", REFUND)) == [RefundTold("pay-01HF3X", None)]


def test_a_refund_that_needs_attention_names_itself() -> None:
    told = SCHEME.read(body_of("refund.needs-attention", {**REFUND, "id": "3000001"}))

    assert told == [RefundTold("pay-01HF3X", "3000001")]


@pytest.mark.parametrize(
    ("event", "changes", "status", "is_withdrawn"),
    [
        ("create", {}, DisputeStatus.NEEDS_RESPONSE, None),
        ("remind", {}, DisputeStatus.NEEDS_RESPONSE, None),
        ("remind", {"status": "awaiting-bank-feedback"}, DisputeStatus.UNDER_REVIEW, None),
        ("resolve", {"resolution": "merchant-accepted"}, DisputeStatus.LOST, True),
        ("resolve", {"resolution": "declined"}, DisputeStatus.WON, None),
        ("resolve", {"resolution": "something new"}, DisputeStatus.UNDER_REVIEW, None),
    ],
)
def test_a_dispute_is_told_whole(
    event: str,
    changes: dict[str, object],
    status: DisputeStatus,
    is_withdrawn: bool | None,  # noqa: FBT001 - a row of the table
) -> None:
    assert SCHEME.read(body_of(f"charge.dispute.{event}", {**DISPUTE, **changes})) == [
        DisputeTold(
            provider_reference=str(2**60 + 3),
            payment_reference="pay-01HF3X",
            receipt=str(2**60 + 1),
            amount=Money(75_000, Currency.KES),
            reason="fraud",
            status=status,
            evidence_due_at=datetime(2026, 11, 24, 9, 15, 2, tzinfo=UTC),
            is_withdrawn=is_withdrawn,
        )
    ]


@pytest.mark.parametrize("event", ["transfer.success", "customeridentification.success", "invoice.create"])
def test_what_does_not_concern_collecting_tells_nothing(event: str) -> None:
    assert SCHEME.read(body_of(event, {"reference": "po-1"})) == []


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"event":{"a":1},"data":{}}'),
        *(b'{"event":"charge.success"}', b'{"event":"charge.success","data":[]}'),
        *(body_of("charge.success", {}), body_of("charge.success", {"reference": {"a": 1}})),
        *(body_of("refund.processed", {"refund_reference": "R1"}), body_of("charge.dispute.create", {})),
    ],
    ids=range(13),
)
def test_what_cannot_be_read_is_said_to_be_so(body: bytes) -> None:
    with pytest.raises(BadMessage):
        SCHEME.read(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.sampled_from(
    ["charge.success", "refund.processed", "charge.dispute.resolve", "transfer.failed", "x"]
)
NAMES = st.sampled_from([*CHARGE, *REFUND, *DISPUTE])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS, st.dictionaries(NAMES, JSON))
def test_nothing_that_is_sent_does_more_than_be_refused(event: str, data: dict[str, Any]) -> None:
    body = body_of(event, data)
    try:
        SCHEME.read(body)
        external_id = SCHEME.external_id(body)
    except BadMessage:
        return
    assert external_id.isprintable()
    assert len(external_id) <= 200
