"""Tenants to share connections between, and somebody who counts them."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from core.ids import new_id
from tenancy.tenant_ref import TenantRef
from tests.databases import PostgresServer
from tests.factories.tenants import tenant_ref


@pytest.fixture
async def watcher(postgres: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await postgres.connect_as_superuser()
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def refs(postgres: PostgresServer) -> AsyncIterator[list[TenantRef]]:
    """Twelve tenants, each with a database of its own."""
    made = []
    for _ in range(4):
        ids = [new_id() for _ in range(3)]
        names = await asyncio.gather(*[postgres.clone_tenant(one) for one in ids])
        made += [
            tenant_ref(postgres.tenant_url(), name, id=one) for one, name in zip(ids, names, strict=True)
        ]
    yield made
    await asyncio.gather(*[postgres.drop(ref.database) for ref in made])
