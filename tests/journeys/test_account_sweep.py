"""A provider's own list of payments brings to light what nobody told."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis.asyncio
from sqlalchemy import update

from jobs.payment_sweep import QUEUE, SWEEP
from tenancy.outbox import announce
from tenancy.sessions import OwnerDatabase, Tenant
from tenant_db.payments.models import Payment
from tests.factories.collecting import collect, hear, open_stand, takings
from tests.factories.journeys import Journey, running_journey
from tests.factories.payments import read

PROVIDERS = ["stripe", "paystack", "flutterwave"]


@pytest.fixture
async def journey(
    owner: OwnerDatabase, tenant: Tenant, redis_client: redis.asyncio.Redis, tmp_path: Path
) -> AsyncIterator[Journey]:
    async with running_journey(owner, [tenant], redis_client, tmp_path) as running:
        yield running


async def sweep(journey: Journey, tenant: Tenant) -> None:
    """Look at the lists an hour later, when nothing moves any more."""
    journey.clock.ahead += timedelta(hours=1)
    async with tenant.transaction() as session:
        announce(session, SWEEP, queue=QUEUE)
    await journey.run(tenant, within=timedelta(minutes=10))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_money_that_nobody_told_of_is_found_and_money_that_is_gone_is_shown(
    journey: Journey, tenant: Tenant, provider: str
) -> None:
    stand = await open_stand(journey, tenant, provider)
    told = await collect(journey, tenant, stand)
    await hear(journey, tenant, stand)
    overlooked = await collect(journey, tenant, stand, "missing_webhook")
    async with tenant.transaction() as session:
        # As if a fault of ours had ended it, and its ladder with it.
        await session.execute(update(Payment).where(Payment.id == overlooked.id).values(status="failed"))

    await sweep(journey, tenant)

    found = await read(tenant, overlooked.id)
    assert (found.status, found.needs_review) == ("succeeded", False)
    assert not (await read(tenant, told.id)).needs_review
    assert (await takings(tenant, stand)).store > 0

    await journey.sandbox.control("reset")
    await journey.sandbox.register_webhook(provider, key=stand.key, secret=stand.hook_secret)
    await sweep(journey, tenant)

    for payment in (told, overlooked):
        gone = await read(tenant, payment.id)
        assert (gone.status, gone.needs_review) == ("succeeded", True)
