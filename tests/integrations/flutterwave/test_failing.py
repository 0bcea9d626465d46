"""What a failure means, and how a lost answer is recovered."""

from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.responses import Response

from core.collecting import Method
from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.protocol import Absent, Accepted, Intent, Paid, StillPending
from tests.integrations.flutterwave.conftest import Desk, MakeDesk, page_of, prompt_of, question_of
from tests.integrations.scripted import Scripted, answer

NOT_FOUND = answer(400, {"status": "error", "message": "No transaction was found for this id", "data": None})


@pytest.mark.parametrize(
    ("outcome", "taken"),
    [
        ("timeout_before_acceptance", 0),
        ("timeout_after_acceptance", 1),
        ("reset_before_acceptance", 0),
        ("reset_after_acceptance", 1),
        ("html_before_acceptance", 0),
        ("html", 1),
        ("server_error_before_acceptance", 0),
        ("server_error_after_acceptance", 1),
        ({"kind": "gave_up_before_acceptance", "details": {"wait_s": 0.1}}, 0),
        ({"kind": "gave_up_after_acceptance", "details": {"wait_s": 0.1}}, 1),
        ("general_error_before_acceptance", 0),
        ("general_error_after_acceptance", 1),
        ("reference_taken", 0),
    ],
)
async def test_a_lost_answer_is_unknown_and_found_by_our_reference(
    desk: Desk, outcome: str | dict[str, object], taken: int
) -> None:
    await desk.plan(outcome)
    intent = prompt_of()

    with pytest.raises(OutcomeUnknown) as caught:
        await desk.client.create_payment(intent)

    assert caught.value.reference == intent.attempt_key
    await desk.release()
    assert len(await desk.paid()) == taken
    found = await desk.client.recover_payment(intent)
    if taken:
        assert isinstance(found, Accepted)
        assert isinstance(found.answer, Paid)
        assert found.request_reference == found.answer.receipt
    else:
        assert found == StillPending()


@pytest.mark.parametrize(
    ("sent_ago", "made_ago", "expected"),
    [
        (timedelta(minutes=4), timedelta(hours=1), StillPending()),
        (timedelta(minutes=6), timedelta(0), Absent()),
        (None, timedelta(minutes=14), StillPending()),
        (None, timedelta(minutes=16), Absent()),
    ],
)
async def test_a_charge_is_missed_only_when_it_would_long_have_shown(
    desk: Desk, sent_ago: timedelta | None, made_ago: timedelta, expected: object
) -> None:
    desk.watch.later = made_ago
    sent_at = None if sent_ago is None else desk.watch.now() - sent_ago

    assert await desk.client.recover_payment(prompt_of(sent_at=sent_at)) == expected


async def test_a_page_whose_answer_got_lost_is_absent_at_once_and_made_anew(desk: Desk) -> None:
    await desk.plan("timeout_after_acceptance")
    intent = page_of()
    with pytest.raises(OutcomeUnknown):
        await desk.client.create_payment(intent)

    assert await desk.client.recover_payment(intent) == Absent()

    await desk.client.create_payment(intent)
    await desk.release()
    assert len(await desk.paid()) == 1


@pytest.mark.parametrize(
    ("outcome", "code", "reason"),
    [
        ("validation", "400", FailureReason.DECLINED),
        ("blacklisted", "400", FailureReason.PAYER_NOT_ALLOWED),
        ("ip_not_allowed", "403", FailureReason.CONFIGURATION),
    ],
)
async def test_a_refusal_is_final_and_nothing_is_taken(
    desk: Desk, outcome: str, code: str, reason: FailureReason
) -> None:
    await desk.plan(outcome)

    with pytest.raises(ProviderRejected) as caught:
        await desk.client.create_payment(prompt_of())

    assert (caught.value.code, caught.value.reason) == (code, reason)
    await desk.release()
    assert await desk.paid() == []


async def test_keys_that_are_refused_stop_a_creation_but_say_nothing_of_a_payment(
    make_desk: MakeDesk,
) -> None:
    desk = make_desk(secrets={"secret_key": "FLWSECK_TEST-unknown"})

    with pytest.raises(ProviderRejected) as caught:
        await desk.client.create_payment(prompt_of())
    with pytest.raises(ProviderUnavailable):
        await desk.client.query_payment(question_of(prompt_of()))

    assert caught.value.reason is FailureReason.CONFIGURATION


async def test_a_throttled_creation_surely_was_not_taken(desk: Desk) -> None:
    await desk.plan("busy")

    with pytest.raises(ProviderUnavailable):
        await desk.client.create_payment(prompt_of())

    await desk.release()
    assert await desk.paid() == []


async def test_nobody_listening_means_nothing_was_sent(make_desk: MakeDesk) -> None:
    desk = make_desk(base_url="http://127.0.0.1:9")
    intent = prompt_of()

    for call in (
        desk.client.create_payment(intent),
        desk.client.query_payment(question_of(intent)),
        desk.client.recover_payment(intent),
        desk.client.prove_keys(),
    ):
        with pytest.raises(ProviderUnavailable):
            await call


@pytest.mark.parametrize(
    "answered", ["html", "busy", "unavailable_before_acceptance", "reset_after_acceptance"]
)
async def test_a_question_that_gets_no_answer_changes_nothing(desk: Desk, answered: str) -> None:
    intent = prompt_of()
    await desk.client.create_payment(intent)
    await desk.release()
    await desk.plan({"kind": answered, "operation": "verify"})

    with pytest.raises(ProviderUnavailable):
        await desk.client.query_payment(question_of(intent))

    assert isinstance(await desk.client.query_payment(question_of(intent)), Paid)


HOSTILE = [
    b"",
    b"null",
    b"[]",
    b'"success"',
    b"{}",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"status":"success"}',
    b'{"status":"success","message":"m","data":null}',
    b'{"status":"success","message":"m","data":[]}',
    b'{"status":"success","message":"m","data":{"id":null,"tx_ref":null}}',
    b'{"status":"success","message":"m","data":{"id":"../balances","tx_ref":"x"}}',
    b'{"status":"success","message":"m","data":{"id":1e999999999,"tx_ref":"x"}}',
    b'{"status":"success","message":"m","data":{"id":NaN}}',
    b'{"status":"success","message":"m","data":{"link":"javascript:alert(1)"}}',
    b'{"status":"success","message":"m","data":{"link":"http://evil.example/pay"}}',
    b'{"status":["success"],"message":{"a":1},"data":{"id":1}}',
    b'{"status":"error","message":"An error occurred. Please contact support","data":null}',
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
async def test_an_answer_that_is_none_is_never_a_success(
    make_desk: MakeDesk, script: Scripted, body: bytes
) -> None:
    desk = make_desk(base_url=script.url)
    for intent in (prompt_of(), page_of()):
        script.answers = [NOT_FOUND, answer(200, body)]
        with pytest.raises(OutcomeUnknown):
            await desk.client.create_payment(intent)
        with pytest.raises(ProviderUnavailable):
            await desk.client.query_payment(question_of(intent))


@pytest.mark.parametrize(
    ("status", "data"),
    [(500, {"id": 7}), (302, {"id": 7}), (200, {"id": 7, "tx_ref": "somebody-elses"})],
)
async def test_a_charge_is_taken_only_by_a_success_about_it(
    make_desk: MakeDesk, script: Scripted, status: int, data: dict[str, object]
) -> None:
    script.answers = [NOT_FOUND, answer(status, {"status": "success", "message": "m", "data": data})]

    with pytest.raises(OutcomeUnknown):
        await make_desk(base_url=script.url).client.create_payment(prompt_of())


async def test_who_pays_while_a_page_is_switched_off_has_paid(make_desk: MakeDesk, script: Scripted) -> None:
    intent = page_of()
    done = answer(200, {"status": "success", "message": "m", "data": None})
    script.answers = [NOT_FOUND, done, verified(intent)]
    question = question_of(intent, f"{script.url}/hosted/pay/1")

    told = await make_desk(base_url=script.url).client.cancel_payment(question, "key")

    assert isinstance(told, Paid)


def verified(intent: Intent, **changes: object) -> Response:
    data = {
        "id": 7,
        "tx_ref": intent.attempt_key,
        "status": "successful",
        "amount": 1500,
        "currency": "KES",
        "app_fee": 43.5,
        "meta": None,
        **changes,
    }
    return answer(200, {"status": "success", "message": "fetched", "data": data})


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "Paid"),
        ({"status": "SUCCESSFUL"}, "Paid"),
        ({"meta": '{"payment_id": "pay_other"}'}, "Mismatch"),
        ({"amount": "1500.00"}, "Paid"),
        ({"amount": 1500.001}, "Mismatch"),
        ({"amount": 1499.99}, "Mismatch"),
        ({"amount": True}, "Mismatch"),
        ({"amount": None}, "Mismatch"),
        ({"amount": -1500}, "Mismatch"),
        ({"currency": "kes"}, "Paid"),
        ({"currency": None}, "Mismatch"),
        ({"tx_ref": "another"}, "Mismatch"),
        ({"status": "pending"}, "StillPending"),
        ({"status": None}, "StillPending"),
        ({"status": "on its way"}, "StillPending"),
        ({"status": "failed"}, "StillPending"),
        ({"status": "failed", "meta": {"flow": "direct"}}, "NotPaid"),
        ({"status": "failed", "meta": {"flow": "direct"}, "tx_ref": "another"}, "StillPending"),
    ],
)
async def test_only_what_fits_in_every_point_is_paid(
    make_desk: MakeDesk, script: Scripted, changes: dict[str, object], kind: str
) -> None:
    intent = prompt_of()
    none_listed = answer(200, {"status": "success", "message": "m", "data": []})
    script.answers = [verified(intent, **changes), none_listed]

    told = await make_desk(base_url=script.url).client.query_payment(question_of(intent))

    assert type(told).__name__ == kind


async def test_a_fee_of_parts_of_a_cent_is_not_told(make_desk: MakeDesk, script: Scripted) -> None:
    intent = prompt_of()
    script.answers = [verified(intent, app_fee=43.505)]

    told = await make_desk(base_url=script.url).client.query_payment(question_of(intent))

    assert isinstance(told, Paid)
    assert told.fee is None


async def test_an_endless_list_is_not_read_to_its_end(make_desk: MakeDesk, script: Scripted) -> None:
    endless = {"status": "success", "message": "m", "data": [], "meta": {"page_info": {"total_pages": 501}}}
    script.answers = [answer(200, endless)]
    desk = make_desk(base_url=script.url)
    now = desk.watch.now()

    with pytest.raises(ProviderUnavailable):
        [row async for row in desk.client.list_payments(now, now)]


async def test_neither_key_nor_payer_is_kept_or_printed(make_desk: MakeDesk) -> None:
    desk = make_desk()
    intent = replace(prompt_of(), method=Method.CARD)
    await desk.client.create_payment(prompt_of())
    await desk.client.create_payment(intent)

    kept = repr(desk.calls) + repr(desk.client)

    for secret in ("FLWSECK", "254700000001", "/hosted/pay/"):
        assert secret not in kept
