"""Payments on a business's own account at a provider: sent, told of, settled, and in the books."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis.asyncio

from tenancy.sessions import OwnerDatabase, Tenant
from tests.factories.collecting import collect, hear, open_stand, takings
from tests.factories.journeys import Journey, running_journey
from tests.factories.ledger import require_sound_books
from tests.factories.payments import read


@pytest.fixture
async def journey(
    owner: OwnerDatabase, tenant: Tenant, redis_client: redis.asyncio.Redis, tmp_path: Path
) -> AsyncIterator[Journey]:
    async with running_journey(owner, [tenant], redis_client, tmp_path) as running:
        yield running


async def test_a_card_payment_is_settled_by_its_signed_webhook(journey: Journey, tenant: Tenant) -> None:
    stand = await open_stand(journey, tenant, "stripe")

    sent = await collect(journey, tenant, stand)
    assert sent.action is not None
    assert (sent.status, sent.action.kind) == ("pending", "client_sdk")
    await hear(journey, tenant, stand)
    await journey.run(tenant, within=timedelta(minutes=2))

    paid = await read(tenant, sent.id)
    assert (paid.status, paid.needs_review, paid.next_action) == ("succeeded", False, None)
    books = await takings(tenant, stand)
    assert (books.holding, books.suspense) == (books.store, 0)
    assert paid.fee_minor
    assert books.store + paid.fee_minor == 150_000
    await require_sound_books(tenant)
