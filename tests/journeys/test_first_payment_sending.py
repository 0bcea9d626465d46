"""When Daraja is away, slow or refuses, and when we crash: at most one prompt, and no lost money."""

import secrets
from datetime import timedelta
from hashlib import sha256

import pytest

from tenancy.sessions import Tenant
from tenant_db.payments import submitting
from tenant_db.payments.cancelling import cancel_payment
from tests.factories.journeys import Journey
from tests.factories.payments import books, events_of, read
from tests.factories.telling import CREDITED, NOTHING

DAYS = timedelta(days=6)


async def test_daraja_away_before_sending_is_tried_again_and_prompts_once(
    journey: Journey, tenant: Tenant
) -> None:
    shop = await journey.open_shop(tenant)

    payment = await journey.pay(tenant, "busy", "quota", "success")
    assert (await read(tenant, payment.id)).status == "created"
    await journey.run(tenant, within=timedelta(minutes=4))
    after = await journey.tell(tenant, payment)

    assert after.status == "succeeded"
    assert len(await journey.prompts(payment)) == 1
    assert await books(tenant, shop) == CREDITED


async def test_daraja_away_for_too_long_expires_without_a_prompt(journey: Journey, tenant: Tenant) -> None:
    await journey.open_shop(tenant)

    payment = await journey.pay(tenant, *["busy"] * 150)
    await journey.run(tenant, within=timedelta(hours=2))

    after = await read(tenant, payment.id)
    assert (after.status, after.failure_code) == ("expired", "not_sent")
    assert await journey.prompts(payment) == []


async def test_a_refused_prompt_fails(journey: Journey, tenant: Tenant) -> None:
    await journey.open_shop(tenant)

    payment = await journey.pay(tenant, "refused")

    assert (await read(tenant, payment.id)).status == "failed"
    assert await journey.prompts(payment) == []


@pytest.mark.parametrize("way", ["timeout_after_acceptance", "reset_after_acceptance", "html"])
@pytest.mark.parametrize("result_code", ["0", "1032"])
async def test_an_answer_that_is_lost_is_settled_by_its_callback_and_never_sent_again(
    journey: Journey, tenant: Tenant, way: str, result_code: str
) -> None:
    shop = await journey.open_shop(tenant)

    outcome = {"kind": way, "result_code": result_code, "callback": "withheld", "c2b": "never"}
    payment = await journey.pay(tenant, outcome)
    assert (await read(tenant, payment.id)).status == "unknown"
    after = await journey.tell(tenant, payment)

    (prompt,) = await journey.prompts(payment)
    assert after.status == ("succeeded" if result_code == "0" else "cancelled")
    assert after.provider_reference == prompt["id"]
    assert await books(tenant, shop) == (CREDITED if result_code == "0" else NOTHING)


async def test_a_lost_answer_without_a_callback_is_settled_by_the_confirmation(
    journey: Journey, tenant: Tenant
) -> None:
    shop = await journey.open_shop(tenant)

    payment = await journey.pay(tenant, {"kind": "timeout_after_acceptance", "c2b": "instead"})
    after = await journey.tell(tenant, payment)

    assert after.status == "succeeded"
    assert len(await journey.prompts(payment)) == 1
    assert await books(tenant, shop) == CREDITED


@pytest.mark.parametrize("way", ["timeout_before_acceptance", "reset_before_acceptance"])
async def test_an_attempt_nobody_hears_of_stays_unknown_and_is_shown_to_a_person(
    journey: Journey, tenant: Tenant, way: str
) -> None:
    shop = await journey.open_shop(tenant)

    payment = await journey.pay(tenant, way)
    await journey.run(tenant, within=DAYS)

    after = await read(tenant, payment.id)
    assert (after.status, after.needs_review) == ("unknown", True)
    assert await journey.prompts(payment) == []
    assert await books(tenant, shop) == NOTHING


async def test_a_crash_after_the_claim_sends_nothing_more(journey: Journey, tenant: Tenant) -> None:
    await journey.open_shop(tenant)
    payment = await journey.initiate(tenant)
    async with tenant.transaction() as session:
        item = sha256(secrets.token_bytes(16)).digest()
        await submitting.claim(session, payment.id, item, journey.clock())

    await journey.run(tenant)

    assert (await read(tenant, payment.id)).status == "unknown"
    assert await journey.prompts(payment) == []


async def test_a_payment_that_stays_pending_is_asked_about_for_five_days(
    journey: Journey, tenant: Tenant
) -> None:
    await journey.open_shop(tenant)

    payment = await journey.pay(tenant, {"kind": "query_pending", "c2b": "never"})
    await journey.run(tenant, within=DAYS)

    after = await read(tenant, payment.id)
    assert (after.status, after.needs_review, after.polls) == ("pending", True, 13)


async def test_a_cancelled_payment_is_never_sent(journey: Journey, tenant: Tenant) -> None:
    await journey.open_shop(tenant)
    payment = await journey.initiate(tenant)
    async with tenant.transaction() as session:
        await cancel_payment(session, payment.id, journey.clock())

    await journey.run(tenant)

    assert (await read(tenant, payment.id)).status == "cancelled"
    assert await journey.prompts(payment) == []
    assert [event.to_status for event in await events_of(tenant, payment.id)] == ["created", "cancelled"]
