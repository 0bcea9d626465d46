"""Journeys: everything a payment passes through, on real ports."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio

from tenancy.sessions import OwnerDatabase, Tenant
from tests.api import Api
from tests.embedded import passable_folder
from tests.factories.journeys import Journey, running_journey
from tests.running import Running, hazina_up


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


@pytest.fixture(scope="session")
async def platform() -> AsyncIterator[Running]:
    """One `hazina up` for all whole-system tests that leave it usable; a start takes seconds."""
    with passable_folder() as folder:
        async with hazina_up(folder / "shared data") as up:
            await up.line("demo payment")
            yield up


@pytest.fixture(scope="session")
async def staff(platform: Running) -> AsyncIterator[Api]:
    """The owner endpoint, as the platform's administrator; few sign-ins are allowed from one address."""
    api = Api(platform.demo["owner_graphql_url"])
    signed = await api.succeed("signIn", "session { accessToken }", **platform.demo["admin_user"])
    yield api.signed_in(signed["session"]["accessToken"])
    await api.close()
