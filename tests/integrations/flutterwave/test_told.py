"""Webhooks: a static secret, so nothing they say is proof."""

import json
from collections.abc import AsyncIterator

import pytest

from core.clock import utc_now
from core.ids import Kind, new_id, outside
from integrations.errors import BadMessage
from integrations.flutterwave.events import FlutterwaveWebhooks
from integrations.sandbox import demo
from integrations.webhooks import BadSignature, PaymentTold, RefundTold, Webhook
from tests.integrations.flutterwave.conftest import FLUTTERWAVE, TENANT, Desk, prompt_of, refund_of
from tests.integrations.scripted import Scripted, answer, scripted_server
from tests.wire.recording import misfits, read_schema

SCHEME = FlutterwaveWebhooks()
HASH = demo.DEMO_FLUTTERWAVE_WEBHOOK_HASH


def authenticate(given: str | None, *secrets: str) -> None:
    headers = {} if given is None else {"verif-hash": given}
    SCHEME.authenticate(Webhook(b"{}", headers), secrets, utc_now())


def test_the_hash_is_taken_as_it_is_from_either_of_two_secrets() -> None:
    authenticate(HASH, HASH)
    authenticate(HASH, "the-next", HASH)


@pytest.mark.parametrize(
    ("given", "secrets"),
    [
        (None, (HASH,)),
        ("", (HASH,)),
        ("another", (HASH,)),
        (HASH.upper(), (HASH,)),
        (f"{HASH} ", (HASH,)),
        (HASH[:-1], (HASH,)),
        ("é\ud800", (HASH,)),
        (HASH, ()),
        ("", ("",)),
        (HASH, ("",)),
    ],
)
def test_a_wrong_missing_or_unconfigured_hash_is_refused(given: str | None, secrets: tuple[str, ...]) -> None:
    with pytest.raises(BadSignature):
        authenticate(given, *secrets)
    assert SCHEME.refusal_status == 401


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"\xff", b"[" * 100_000, b'{"a":NaN}'])
def test_what_is_no_object_is_a_bad_message(body: bytes) -> None:
    with pytest.raises(BadMessage):
        SCHEME.external_id(body)
    with pytest.raises(BadMessage):
        SCHEME.read(body)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"event": None, "data": None},
        {"event": "charge.completed"},
        {"event": "charge.completed", "data": []},
        {"event": "charge.completed", "data": {"id": {}, "tx_ref": []}},
        {"event": "transfer.completed", "data": {"id": 1, "reference": "po-1", "status": "FAILED"}},
        {"event": "subscription.cancelled", "data": {"id": 1}},
        {"event": "refund.completed", "data": {"id": "../1"}},
    ],
)
def test_what_does_not_concern_us_or_says_nothing_is_kept_and_ignored(message: object) -> None:
    body = json.dumps(message).encode()

    assert list(SCHEME.read(body)) == []
    assert SCHEME.external_id(body) == SCHEME.external_id(body)


def test_a_repeat_has_the_same_id_and_a_second_verdict_another() -> None:
    def id_of(**changes: object) -> str:
        data = {"id": 4000001, "tx_ref": "a", "status": "failed", **changes}
        return SCHEME.external_id(json.dumps({"event": "charge.completed", "data": data}).encode())

    assert id_of() == id_of(status="FAILED", amount=2) == "charge.completed:4000001:failed"
    assert len({id_of(), id_of(status="successful"), id_of(id=4000002)}) == 3


@pytest.fixture
async def hook(desk: Desk) -> AsyncIterator[Scripted]:
    async with scripted_server(answer(200, {})) as server:
        await desk.sandbox.register_webhook(FLUTTERWAVE, url=f"{server.url}/hook")
        yield server


async def told_to(hook: Scripted, count: int) -> list[bytes]:
    return [json.dumps(message).encode() for message in await hook.messages(count)]


async def test_a_charge_is_told_with_our_marks_but_proves_nothing(desk: Desk, hook: Scripted) -> None:
    await desk.plan("success", "declined")
    paid, declined = prompt_of(), prompt_of()
    ids = [(await desk.client.create_payment(intent)).request_reference for intent in (paid, declined)]
    await desk.release()

    for intent, id_, body in zip((paid, declined), ids, await told_to(hook, 2), strict=True):
        SCHEME.authenticate(Webhook(body, {"verif-hash": HASH}), [HASH], utc_now())
        expected = PaymentTold(intent.attempt_key, id_, intent.payment_id, tenant=TENANT)
        assert list(SCHEME.read(body)) == [expected]
    assert {headers["verif-hash"] for headers in hook.headers} == {HASH}


async def test_a_refund_is_told_in_capitals(desk: Desk, hook: Scripted) -> None:
    intent = prompt_of()
    accepted = await desk.client.create_payment(intent)
    await desk.release()
    begun = await desk.client.refund_payment(refund_of(intent, accepted.request_reference))
    await desk.release()

    assert list(SCHEME.read((await told_to(hook, 2))[-1])) == [
        RefundTold(accepted.request_reference, begun.provider_reference)
    ]


async def test_a_forged_webhook_has_another_hash(desk: Desk, hook: Scripted) -> None:
    await desk.plan("bad_signature")
    await desk.client.create_payment(prompt_of())
    await hook.messages(1)

    with pytest.raises(BadSignature):
        authenticate(hook.headers[0]["verif-hash"], HASH)


async def test_what_is_told_fits_the_sheet(desk: Desk, hook: Scripted) -> None:
    schema = read_schema("flutterwave_calls")
    intent = prompt_of()
    accepted = await desk.client.create_payment(intent)
    await desk.release()
    await desk.client.refund_payment(refund_of(intent, accepted.request_reference))
    await desk.release()

    charge, refund = await hook.messages(2)

    assert misfits(schema, {"$ref": "#/$defs/charge_event"}, charge) == []
    assert misfits(schema, {"$ref": "#/$defs/refund_event"}, refund) == []


def test_a_refund_that_carries_our_note_is_known_by_it() -> None:
    refund_id = outside(Kind.REFUND, new_id())
    data = {"id": 8001, "TransactionId": 4000001, "tx_ref": "a", "comments": refund_id, "status": "x"}

    told = SCHEME.read(json.dumps({"event": "refund.completed", "data": data}).encode())

    assert list(told) == [RefundTold("a", "8001", refund_id)]
