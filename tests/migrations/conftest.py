"""A registry with the shipped catalog and one real database server."""

from collections.abc import AsyncIterator

import pytest

from tenancy.sessions import OwnerDatabase
from tests.databases import PostgresServer
from tests.factories.registry import Registry, real_registry


@pytest.fixture
async def registry(owner: OwnerDatabase, postgres: PostgresServer) -> AsyncIterator[Registry]:
    async with real_registry(owner, postgres) as registry:
        yield registry
