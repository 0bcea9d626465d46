"""What the sandbox's webhooks are, when they arrive."""

import pytest

from core.clock import utc_now
from integrations.errors import ProviderRejected, ProviderUnavailable
from integrations.paystack.webhooks import PaystackWebhooks
from integrations.protocol import Paid
from integrations.sandbox import demo
from integrations.webhooks import BadSignature, Webhook
from tests.integrations.paystack.conftest import PAYSTACK, Desk, MakeDesk, prompt_of, question_of, refund_of
from tests.integrations.scripted import answer, scripted_server

SCHEME = PaystackWebhooks()
KEY = demo.DEMO_PAYSTACK_SECRET_KEY


@pytest.mark.parametrize(
    ("outcome", "arrivals", "genuine"),
    [
        ("success", 1, 1),
        ("duplicate_webhook", 2, 2),
        ("bad_signature", 1, 0),
        ("tampered_amount", 1, 1),
        ("wrong_currency", 1, 1),
        ("contradicting_webhook", 2, 2),
        ("webhook_before_response", 1, 1),
    ],
)
async def test_what_the_sandbox_sends_is_authenticated_over_http(
    desk: Desk, outcome: str, arrivals: int, genuine: int
) -> None:
    async with scripted_server() as server:
        await desk.sandbox.register_webhook(PAYSTACK, key=KEY, url=server.url)
        await desk.plan(outcome)
        intent = prompt_of()
        accepted = await desk.client.create_payment(intent)
        bodies = await server.messages(arrivals)
        arrived = list(zip(server.raw, server.headers, strict=True))

    assert len(arrived) == arrivals
    found = [fits(Webhook(body, headers)) for body, headers in arrived]
    assert found.count(True) == genuine
    assert accepted.provider_reference == intent.attempt_key
    assert {body["data"]["reference"] for body in bodies} == {intent.attempt_key}
    if outcome == "duplicate_webhook":
        assert len({SCHEME.external_id(body) for body, _ in arrived}) == 1
    if outcome == "contradicting_webhook":
        assert len({SCHEME.external_id(body) for body, _ in arrived}) == 2


async def test_a_webhook_is_sent_again_until_it_is_taken(desk: Desk) -> None:
    async with scripted_server(answer(500, {}), answer(200, {})) as server:
        await desk.sandbox.register_webhook(PAYSTACK, key=KEY, url=server.url)
        await desk.client.create_payment(prompt_of())
        await server.messages(2)

    assert server.raw[0] == server.raw[1]


async def test_a_replaced_key_ends_and_its_successor_sees_and_signs_what_was(
    desk: Desk, make_desk: MakeDesk
) -> None:
    new = "sk_test_new"
    async with scripted_server() as server:
        await desk.sandbox.register_webhook(PAYSTACK, key=KEY, url=server.url)
        await desk.plan("withheld_webhook")
        intent = prompt_of()
        await desk.client.create_payment(intent)
        await desk.sandbox.control("paystack/rotate", key=KEY, to=new)
        successor = make_desk(secrets={"secret_key": new})
        await desk.release()
        await server.messages(1)

        told = Webhook(server.raw[0], server.headers[0])
        SCHEME.authenticate(told, [new, KEY], utc_now())
        assert not fits(told)
    with pytest.raises(ProviderRejected):
        await desk.client.prove_keys()
    with pytest.raises(ProviderUnavailable):
        await desk.client.query_payment(question_of(intent))
    assert isinstance(await successor.client.query_payment(question_of(intent)), Paid)


async def test_each_step_of_a_refund_is_told(desk: Desk) -> None:
    async with scripted_server() as server:
        await desk.sandbox.register_webhook(PAYSTACK, key=KEY, url=server.url)
        intent = prompt_of()
        await desk.client.create_payment(intent)
        await desk.release()
        await desk.client.refund_payment(refund_of(intent))
        await desk.release()
        bodies = await server.messages(3)

    assert sorted(body["event"] for body in bodies) == [
        "charge.success",
        "refund.pending",
        "refund.processed",
    ]


def fits(webhook: Webhook) -> bool:
    try:
        SCHEME.authenticate(webhook, [KEY], utc_now())
    except BadSignature:
        return False
    return True
