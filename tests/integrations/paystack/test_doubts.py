"""What may be sent again, and what must be asked about first."""

from typing import Any

import pytest

from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.paystack.codes import KEYS_REFUSED
from integrations.protocol import Accepted, Paid, StillPending
from integrations.sandbox import demo
from tests.integrations.paystack.conftest import Desk, MakeDesk, page_of, prompt_of, question_of
from tests.integrations.scripted import answer, scripted_server

LOST = [
    *("timeout_{}_acceptance", "reset_{}_acceptance", "server_error_{}_acceptance"),
    *("unavailable_{}_acceptance",),
]


async def create(desk: Desk, outcome: str | dict[str, object], *, is_page: bool = False) -> Any:  # noqa: ANN401 - an intent
    await desk.plan(outcome)
    intent = page_of() if is_page else prompt_of()
    with pytest.raises(OutcomeUnknown):
        await desk.client.create_payment(intent)
    return intent


@pytest.mark.parametrize("outcome", [*(name.format("after") for name in LOST), "html", "malformed"])
async def test_what_may_have_been_taken_is_found_by_its_reference(desk: Desk, outcome: str) -> None:
    intent = await create(desk, outcome)
    await desk.release()

    recovered = await desk.client.recover_payment(intent)

    assert isinstance(recovered, Accepted)
    assert isinstance(recovered.answer, Paid)
    again = await desk.client.create_payment(intent)
    assert isinstance(again.answer, Paid)
    assert len(await desk.rows("paid")) == 1


@pytest.mark.parametrize("outcome", [*(name.format("before") for name in LOST), "html_before_acceptance"])
async def test_what_was_not_taken_is_unknown_too_and_can_be_sent_again(desk: Desk, outcome: str) -> None:
    intent = await create(desk, outcome, is_page=True)

    assert await desk.client.recover_payment(intent) == StillPending()
    assert isinstance((await desk.client.create_payment(intent)).answer, StillPending)
    await desk.release()
    assert len(await desk.rows("paid")) == 1


async def test_a_page_whose_answer_was_lost_waits_without_its_link(desk: Desk) -> None:
    intent = await create(desk, {"kind": "abandoned", "answer": "drop"}, is_page=True)

    recovered = await desk.client.recover_payment(intent)

    assert recovered == Accepted(intent.attempt_key, answer=StillPending())


async def test_a_throttled_call_was_not_processed(desk: Desk) -> None:
    await desk.plan("busy")
    intent = prompt_of()

    with pytest.raises(ProviderUnavailable):
        await desk.client.create_payment(intent)
    assert isinstance((await desk.client.create_payment(intent)).answer, StillPending)


async def test_a_used_reference_that_cannot_be_asked_about_is_in_doubt(desk: Desk) -> None:
    intent = prompt_of()
    await desk.client.create_payment(intent)
    await desk.plan({"kind": "server_error_before_acceptance", "operation": "verify"})

    with pytest.raises(OutcomeUnknown):
        await desk.client.create_payment(intent)


@pytest.mark.parametrize(
    ("outcome", "code", "reason"),
    [
        ("invalid_key", "invalid_key", FailureReason.CONFIGURATION),
        ("forbidden", "your_ip_address_is_not_allowed_to_make_this_call", FailureReason.CONFIGURATION),
        ("currency_refused", "currency_not_supported_by_merchant", FailureReason.CONFIGURATION),
        ("no_channel", "no_active_channel", FailureReason.CONFIGURATION),
        ("invalid_email", "invalid_email_address_passed", FailureReason.INCORRECT_DETAILS),
        ("unprocessable", "invalid_phone_number", FailureReason.PAYER_NOT_ALLOWED),
    ],
)
async def test_a_refusal_is_final_and_told_in_our_words(
    desk: Desk, outcome: str, code: str, reason: FailureReason
) -> None:
    await desk.plan(outcome)

    with pytest.raises(ProviderRejected) as refused:
        await desk.client.create_payment(prompt_of())

    assert (refused.value.code, refused.value.reason) == (code, reason)
    assert refused.value.message.lower().replace(" ", "_").rstrip(".") != code
    assert await desk.rows("paid") == []


@pytest.mark.parametrize(
    "kind",
    ["busy", "html", "server_error_after_acceptance", "reset_after_acceptance", "timeout_after_acceptance"],
)
async def test_a_question_without_an_answer_says_nothing(desk: Desk, kind: str) -> None:
    intent = prompt_of()
    await desk.client.create_payment(intent)
    await desk.plan({"kind": kind, "operation": "verify"})

    with pytest.raises(ProviderUnavailable):
        await desk.client.query_payment(question_of(intent))


async def test_no_connection_means_nothing_was_sent(make_desk: MakeDesk) -> None:
    with pytest.raises(ProviderUnavailable):
        await make_desk("http://127.0.0.1:1").client.create_payment(prompt_of())


@pytest.mark.parametrize(
    ("key", "environment"),
    [
        ("sk_live_x", "sandbox"),
        ("sk_test_x", "production"),
        ("pk_test_x", "sandbox"),
        ("sk_test_x\r\nx: y", "sandbox"),
    ],
)
async def test_a_key_that_does_not_fit_is_never_sent(make_desk: MakeDesk, key: str, environment: str) -> None:
    desk = make_desk(secrets={"secret_key": key}, environment=environment)

    for attempt in (desk.client.create_payment(prompt_of()), desk.client.prove_keys()):
        with pytest.raises(ProviderRejected) as refused:
            await attempt
        assert refused.value.reason is FailureReason.CONFIGURATION
        assert key not in refused.value.message
    with pytest.raises(ProviderUnavailable):
        await desk.client.query_payment(question_of(prompt_of()))
    assert desk.calls == []


async def test_keys_are_proven_by_the_balance(make_desk: MakeDesk) -> None:
    proof = await make_desk().client.prove_keys()

    assert proof.summary.startswith("Paystack accepts the test key")
    assert "KES" in proof.summary
    assert proof.warnings == []
    assert len((await make_desk(settings={}).client.prove_keys()).warnings) == 1


async def test_a_wrong_key_is_told_from_a_bad_moment(make_desk: MakeDesk) -> None:
    with pytest.raises(ProviderRejected, match=KEYS_REFUSED):
        await make_desk(secrets={"secret_key": "sk_test_wrong"}).client.prove_keys()
    desk = make_desk()
    await desk.plan({"kind": "busy", "operation": "balance"})
    with pytest.raises(ProviderUnavailable):
        await desk.client.prove_keys()


VERIFIED = {"id": 1, "status": "success", "reference": "x", "amount": 150_000, "currency": "KES"}
HOSTILE = [
    *("", "[]", "null", "<html>", '"text"', '{"status":true}', '{"status":true,"data":[]}'),
    *('{"status":"true","data":{}}', '{"status":true,"data":{"id":1.5,"status":[],"reference":{}}}'),
    *('{"status":true,"data":' + "[" * 100_000, '{"status":true,"data":{"id":' + "9" * 5_000 + "}}"),
    *('{"status":true,"data":{"id":1e400,"status":"success","reference":"x"}}', b"\xff\xfe"),
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
async def test_an_unreadable_answer_decides_nothing(make_desk: MakeDesk, body: str | bytes) -> None:
    async with scripted_server(answer(200, body)) as server:
        desk = make_desk(server.url)
        for intent in (prompt_of(), page_of()):
            with pytest.raises(OutcomeUnknown):
                await desk.client.create_payment(intent)
        with pytest.raises(ProviderUnavailable):
            await desk.client.query_payment(question_of(prompt_of()))


@pytest.mark.parametrize("status", [201, 204, 302, 400, 401, 404, 409, 500])
async def test_only_paystacks_own_refusal_is_one(make_desk: MakeDesk, status: int) -> None:
    async with scripted_server(answer(status, "<html>")) as server:
        with pytest.raises(OutcomeUnknown):
            await make_desk(server.url).client.create_payment(prompt_of())


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "http://evil.example.com/", "https://", "//x", 7, "http://[", ""]
)
async def test_nobody_is_sent_to_a_page_that_is_none(make_desk: MakeDesk, url: object) -> None:
    intent = page_of()
    data = {"authorization_url": url, "access_code": "a", "reference": intent.attempt_key}
    async with scripted_server(answer(200, {"status": True, "message": "ok", "data": data})) as server:
        with pytest.raises(OutcomeUnknown):
            await make_desk(server.url).client.create_payment(intent)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "150000.00"},
        {"amount": -150_000},
        {"amount": True},
        {"currency": None},
        {"domain": None},
        {"requested_amount": "many"},
    ],
)
async def test_a_paid_answer_that_cannot_be_read_credits_nothing(
    make_desk: MakeDesk, changes: dict[str, object]
) -> None:
    intent = prompt_of()
    data = {**VERIFIED, "domain": "test", "reference": intent.attempt_key}
    whole = answer(200, {"status": True, "message": "ok", "data": data})
    broken = answer(200, {"status": True, "message": "ok", "data": {**data, **changes}})
    async with scripted_server(whole, broken) as server:
        client = make_desk(server.url).client
        assert isinstance(await client.query_payment(question_of(intent)), Paid)
        assert not isinstance(await client.query_payment(question_of(intent)), Paid)


@pytest.mark.parametrize("status", [False, None, "true", 1])
async def test_an_envelope_that_does_not_say_yes_proves_nothing(make_desk: MakeDesk, status: object) -> None:
    intent = prompt_of()
    data = {**VERIFIED, "domain": "test", "reference": intent.attempt_key}
    async with scripted_server(answer(200, {"status": status, "message": "ok", "data": data})) as server:
        client = make_desk(server.url).client
        with pytest.raises(ProviderUnavailable):
            await client.query_payment(question_of(intent))
        with pytest.raises(OutcomeUnknown):
            await client.create_payment(intent)


async def test_a_used_reference_is_known_by_its_code_too(make_desk: MakeDesk) -> None:
    intent = prompt_of()
    refused = {"status": False, "message": "Validation failed", "code": "duplicate_reference"}
    data = {**VERIFIED, "domain": "test", "reference": intent.attempt_key}
    verified = answer(200, {"status": True, "message": "ok", "data": data})
    async with scripted_server(answer(400, refused), verified) as server:
        assert isinstance((await make_desk(server.url).client.create_payment(intent)).answer, Paid)


async def test_what_is_kept_of_a_call_holds_no_key_code_or_address(desk: Desk) -> None:
    intents = (prompt_of(), page_of())
    for intent in intents:
        await desk.client.create_payment(intent)
        await desk.release()
        await desk.client.query_payment(question_of(intent))

    kept = str([(call.path, call.request, call.response) for call in desk.calls])
    secrets = ["jane@example.com", "AUTH_aaaa1111", demo.DEMO_PAYSTACK_SECRET_KEY, "254700000001"]
    assert not [secret for secret in secrets if secret in kept]
    (page,) = [call.response for call in desk.calls if call.operation == "initialize"]
    assert str(page).count("<redacted>") == len(("authorization_url", "access_code"))
