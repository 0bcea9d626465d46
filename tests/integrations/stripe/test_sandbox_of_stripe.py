"""Stripe's sandbox: what it refuses, and what it remembers."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from integrations.sandbox import demo
from integrations.sandbox.settings import SandboxSettings
from tests.integrations.stripe.conftest import Stripe
from tests.sandbox import RunningSandbox, running_sandbox

FORM = {"amount": "1500", "currency": "usd", "automatic_payment_methods[enabled]": "true"}
INTENTS = "/stripe/v1/payment_intents"


async def post(
    sandbox: RunningSandbox, path: str, form: dict[str, str], key: str = "", **headers: str
) -> httpx.Response:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    bearer = {"authorization": f"Bearer {key or demo.DEMO_STRIPE_SECRET_KEY}"}
    return await sandbox.http.post(path, data=form, headers={**bearer, **headers})


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "15.00"}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"amount": "49"}, "amount"),
        ({"amount": "9" * 13}, "amount"),
        ({"amount": "550", "currency": "ugx"}, "amount"),
        ({"currency": "USD"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"capture_method": "later"}, "capture_method"),
        ({"surprise": "1"}, "surprise"),
        ({f"metadata[{'k' * 41}]": "v"}, f"metadata[{'k' * 41}]"),
        ({"metadata[k]": "v" * 501}, "metadata[k]"),
        ({"metadata": "v"}, "metadata"),
        ({"amount[x]": "1"}, "amount"),
    ],
)
async def test_what_stripe_s_sheet_refuses_is_refused(
    stripe: Stripe, changes: dict[str, str], param: str
) -> None:
    response = await post(stripe.sandbox, INTENTS, {**FORM, **changes}, stripe.key)

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert response.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer sk_test_nobody"}, 401),
        ({"authorization": "Basic x"}, 401),
        ({"authorization": ""}, 401),
        ({"stripe_version": "2020-01-01"}, 400),
        ({"content_type": "application/json"}, 400),
        ({"idempotency_key": "k" * 256}, 400),
    ],
)
async def test_headers_are_checked(stripe: Stripe, headers: dict[str, str], status: int) -> None:
    response = await post(stripe.sandbox, INTENTS, FORM, stripe.key, **headers)

    assert response.status_code == status


async def test_a_key_repeats_its_first_answer_and_nothing_else(stripe: Stripe) -> None:
    first = await post(stripe.sandbox, INTENTS, FORM, stripe.key, idempotency_key="k1")
    again = await post(stripe.sandbox, INTENTS, FORM, stripe.key, idempotency_key="k1")
    other = await post(stripe.sandbox, INTENTS, {**FORM, "amount": "1600"}, stripe.key, idempotency_key="k1")

    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert other.json()["error"]["type"] == "idempotency_error"


async def test_one_account_neither_sees_nor_disturbs_another(stripe: Stripe) -> None:
    await stripe.plan("card_declined")
    others = (await post(stripe.sandbox, INTENTS, FORM, idempotency_key="k")).json()
    own = (await post(stripe.sandbox, INTENTS, FORM, stripe.key, idempotency_key="k")).json()
    await stripe.sandbox.release_webhooks("stripe")

    assert own["id"] != others["id"]
    seen = await stripe.sandbox.http.get(
        f"{INTENTS}/{own['id']}", headers={"authorization": f"Bearer {demo.DEMO_STRIPE_SECRET_KEY}"}
    )
    assert seen.status_code == 404
    book = await stripe.sandbox.book_of("stripe")
    by_id = {intent["id"]: intent["status"] for intent in book["intents"]}
    assert (by_id[own["id"]], by_id[others["id"]]) == ("requires_payment_method", "succeeded")


@pytest.mark.parametrize(
    "given",
    [
        {"outcomes": "success"},
        {"outcomes": ["no_such"]},
        {"outcomes": [{"surprise": 1}]},
        {"outcomes": [{"answer": "maybe"}]},
        {"outcomes": [7]},
        {"outcomes": [], "where": "x"},
    ],
)
async def test_a_plan_that_can_t_be_kept_is_refused(stripe: Stripe, given: dict[str, Any]) -> None:
    response = await stripe.sandbox.http.post("/_control/stripe/next", json=given)

    assert response.status_code == 400


async def test_a_plan_may_wait_for_one_payment(stripe: Stripe) -> None:
    await stripe.sandbox.plan("stripe", "expired", key=stripe.key, where={"payment_id": "pay_2"})
    one, two = [
        (await post(stripe.sandbox, INTENTS, {**FORM, "metadata[payment_id]": id_}, stripe.key)).json()["id"]
        for id_ in ("pay_1", "pay_2")
    ]
    await stripe.sandbox.release_webhooks("stripe")

    by_id = {intent["id"]: intent["status"] for intent in (await stripe.sandbox.book_of("stripe"))["intents"]}
    assert (by_id[one], by_id[two]) == ("succeeded", "canceled")


async def test_a_restart_goes_on_with_payers_refunds_keys_and_what_was_not_told(tmp_path: Path) -> None:
    # given
    book = tmp_path / "book.jsonl"
    slow = SandboxSettings(think_time_s=600, mail_port=None, book_path=book)
    async with running_sandbox(slow) as sandbox:
        await sandbox.register_webhook(
            "stripe", key="sk_test_shop", secret="whsec_x", url="http://127.0.0.1:9/"
        )
        await sandbox.plan("stripe", "declined_then_paid", key="sk_test_shop")
        first = (await post(sandbox, INTENTS, FORM, "sk_test_shop", idempotency_key="k1")).json()
        await sandbox.release_webhooks("stripe", reference=first["id"])

    # when
    quick = SandboxSettings(think_time_s=0, mail_port=None, book_path=book, webhook_retries_s=())
    async with running_sandbox(quick) as sandbox:
        again = (await post(sandbox, INTENTS, FORM, "sk_test_shop", idempotency_key="k1")).json()
        await sandbox.release_webhooks("stripe")
        after = await sandbox.book_of("stripe")

    # then
    assert first == again
    assert [(row["reference"], row["amount_minor"]) for row in after["paid"]] == [(first["id"], 1_500)]
    types = [message["body"]["type"] for message in after["webhooks"]]
    assert types == ["payment_intent.payment_failed", "payment_intent.succeeded"]
    assert all(message["told"] for message in after["webhooks"])
