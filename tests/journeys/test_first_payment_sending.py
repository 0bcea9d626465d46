"""When Daraja is away, slow or refuses, and when we crash: at most one prompt, and no lost money."""

import secrets
from datetime import timedelta
from hashlib import sha256

from tenancy.sessions import Tenant
from tenant_db.payments import submitting
from tenant_db.payments.cancelling import cancel_payment
from tests.factories.journeys import Journey
from tests.factories.payments import events_of, read

DAYS = timedelta(days=6)


async def test_daraja_away_for_too_long_expires_without_a_prompt(journey: Journey, tenant: Tenant) -> None:
    await journey.open_shop(tenant)

    payment = await journey.pay(tenant, *["busy"] * 150)
    await journey.run(tenant, within=timedelta(hours=2))

    after = await read(tenant, payment.id)
    assert (after.status, after.failure_code) == ("expired", "not_sent")
    assert await journey.prompts(payment) == []


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
