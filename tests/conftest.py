"""Fixtures of every room: real PostgreSQL, real Redis, one fresh database for each tenant."""

import gc
import os
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
import redis.asyncio
from coverage import Coverage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine

from core.clock import utc_now
from core.ids import new_id
from owner_db.tenants.directory import load_tenant, mark_dirty
from owner_db.tenants.servers import Servers
from server.embedded_roles import OWNER_ROLE
from tenancy.circuits import Circuits
from tenancy.context import Services
from tenancy.directory import CachedDirectory
from tenancy.engines import TenantEngines, Tenants
from tenancy.feed import Feed
from tenancy.keyring import Keyring, WrappedKey
from tenancy.limits import RateLimits
from tenancy.policy import Policy
from tenancy.sessions import AfterCommit, OwnerDatabase, Tenant
from tenancy.signals import RedisSignals
from tenancy.tokens import KeyPair, TokenIssuer
from tenancy.wrappers import LocalKeyWrapper
from tests.databases import PostgresServer, postgres_server
from tests.embedded import throwaway_redis
from tests.factories.tenants import register, tenant_ref

CONNECTIONS: Final = 24
"""Of one test's engine: races need a connection for each rival."""
REDIS_RETRIES: Final = 5
MEASURED: Final = frozenset({"core", "tenancy", "tenant_db", "resolvers", "schema"})
"""The folders whose tests alone have to cover the rooms that are judged: tracing the others costs minutes."""
LONGEST: Final = frozenset({"isolation", "journeys", "migrations", "server"})
FOLDER: Final = Path(__file__).parent


# How fast examples come says how busy the machine is.
settings.register_profile("hazina", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hazina")


class RecordedSignals:
    """Keeps what transactions would tell other processes."""

    def __init__(self) -> None:
        self.before: list[AfterCommit] = []
        self.after: list[AfterCommit] = []

    async def before_commit(self, tenant_id: object, after: AfterCommit) -> None:
        self.before.append(after)

    async def after_commit(self, tenant_id: object, after: AfterCommit) -> None:
        self.after.append(after)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files that take longest start first, so that the processes of a split run end together."""
    items.sort(key=lambda item: item.path.relative_to(FOLDER).parts[0] not in LONGEST)


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of every later search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    coverage = Coverage.current()
    if coverage is None or item.path.relative_to(FOLDER).parts[0] in MEASURED:
        return (yield)
    coverage.stop()
    try:
        return (yield)
    finally:
        coverage.start()


@pytest.fixture(scope="session")
def worker_name(request: pytest.FixtureRequest) -> str:
    """`master`, or `gw0`, `gw1`, … where the run is split over processes."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "master"))


@pytest.fixture(scope="session")
async def postgres(worker_name: str) -> AsyncIterator[PostgresServer]:
    async with postgres_server(worker_name) as server:
        yield server


@pytest.fixture(scope="session")
async def redis_url(worker_name: str) -> AsyncIterator[str]:
    given = os.environ.get("HAZINA_TEST_REDIS_URL")
    if given is not None:
        # Channels are shared by all of a Redis' databases: split runs should leave this unset.
        number = int(worker_name.removeprefix("gw")) if worker_name.startswith("gw") else 0
        yield f"{given}?db={number}" if given.startswith("unix") else f"{given.rstrip('/')}/{number}"
        return
    async with throwaway_redis() as server:
        yield server.url


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """An empty Redis."""
    # With the retries that a server has, which hide a lost connection from who doesn't look.
    client = redis.asyncio.Redis.from_url(
        redis_url,
        retry=Retry(ExponentialBackoff(), REDIS_RETRIES),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture
def signals() -> RecordedSignals:
    return RecordedSignals()


@pytest.fixture
async def owner(postgres: PostgresServer, signals: RecordedSignals) -> AsyncIterator[OwnerDatabase]:
    """A fresh owner database, reached as hazina_owner."""
    name = await postgres.lend_owner()
    engine = create_async_engine(postgres.url(OWNER_ROLE, name), pool_size=CONNECTIONS)
    yield OwnerDatabase(engine, signals)
    await engine.dispose()
    await postgres.take_back(name)


@pytest.fixture
async def tenant(postgres: PostgresServer, signals: RecordedSignals) -> AsyncIterator[Tenant]:
    """A tenant in a fresh database, reached as hazina_tenant."""
    async with _fresh_tenant(postgres, signals) as fresh:
        yield fresh


@pytest.fixture
async def second_tenant(postgres: PostgresServer, signals: RecordedSignals) -> AsyncIterator[Tenant]:
    """Another business, in a database of its own."""
    async with _fresh_tenant(postgres, signals) as fresh:
        yield fresh


@pytest.fixture
async def keyring(tmp_path: Path) -> Keyring:
    """Gives each tenant a data key when it is first asked for one."""
    wrapper = LocalKeyWrapper.made_if_missing(tmp_path / "master.key")
    kept: dict[UUID, list[WrappedKey]] = {}

    async def load(tenant_id: UUID) -> list[WrappedKey]:
        if tenant_id not in kept:
            kept[tenant_id] = [await ring.new_wrapped_key()]
        return kept[tenant_id]

    ring = Keyring(load, wrapper)
    return ring


@pytest.fixture
async def feed(redis_client: redis.asyncio.Redis) -> AsyncIterator[Feed]:
    feed = Feed(redis_client)
    yield feed
    await feed.close()


@pytest.fixture
async def tokens() -> TokenIssuer:
    """Signs with one key that nobody else has."""
    private = Ed25519PrivateKey.generate()
    pair = KeyPair(new_id(), private.public_key(), private)

    async def load() -> list[KeyPair]:
        return [pair]

    return TokenIssuer(load, "http://hazina.test", utc_now)


@pytest.fixture
async def services(  # noqa: PLR0917 - pytest passes fixtures by name
    owner: OwnerDatabase,
    tenant: Tenant,
    second_tenant: Tenant,
    feed: Feed,
    keyring: Keyring,
    tokens: TokenIssuer,
    redis_client: redis.asyncio.Redis,
) -> AsyncIterator[Services]:
    """What one server process shares; it serves `tenant` and `second_tenant`, which are registered."""
    for one in (tenant, second_tenant):
        await register(owner, one.ref)
    servers = Servers.from_urls(tenant.ref.database_url)
    directory = CachedDirectory(partial(load_tenant, owner, servers))
    await directory.start(redis_client)
    engines = TenantEngines(2 * CONNECTIONS, per_tenant=CONNECTIONS)
    signals = RedisSignals(redis_client, partial(mark_dirty, owner))
    made = Services(
        owner=OwnerDatabase(owner.engine, signals),
        tenants=Tenants(directory, engines, signals),
        feed=feed,
        keyring=keyring,
        limits=RateLimits(redis_client),
        tokens=tokens,
        policy=Policy(),
        clock=utc_now,
        circuits=Circuits(redis_client, utc_now),
    )
    yield made
    await made.close()
    await directory.close()
    await engines.close()


@asynccontextmanager
async def _fresh_tenant(postgres: PostgresServer, signals: RecordedSignals) -> AsyncIterator[Tenant]:
    tenant_id = new_id()
    ref = tenant_ref(postgres.tenant_url(), await postgres.lend_tenant(tenant_id), id=tenant_id)
    engines = TenantEngines(CONNECTIONS, per_tenant=CONNECTIONS, application_name="hazina-test")
    yield Tenant(ref, engines, signals)
    await engines.close()
    await postgres.take_back(ref.database)
