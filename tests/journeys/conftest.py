"""Journeys: everything a payment passes through, on real ports."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio

from tenancy.sessions import OwnerDatabase, Tenant
from tests.factories.journeys import Journey, running_journey


@pytest.fixture
async def journey(
    owner: OwnerDatabase, tenant: Tenant, redis_client: redis.asyncio.Redis, tmp_path: Path
) -> AsyncIterator[Journey]:
    """One business."""
    async with running_journey(owner, [tenant], redis_client, tmp_path) as running:
        yield running


@pytest.fixture
async def journey_of_two(
    owner: OwnerDatabase,
    tenant: Tenant,
    second_tenant: Tenant,
    redis_client: redis.asyncio.Redis,
    tmp_path: Path,
) -> AsyncIterator[Journey]:
    """Two businesses."""
    async with running_journey(owner, [tenant, second_tenant], redis_client, tmp_path) as running:
        yield running
