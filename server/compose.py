"""Puts one process together from its settings: databases, Redis, keys, services."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

import redis.asyncio
import redis.asyncio.retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from core.clock import utc_now
from owner_db.tenants.directory import load_tenant, mark_dirty
from owner_db.tenants.models import TenantKey
from owner_db.tenants.servers import Servers
from owner_db.users.principals import OwnerPrincipals
from owner_db.users.signing_keys import load_signing_keys
from server.settings import Settings, required
from tenancy.circuits import Circuits
from tenancy.context import Services
from tenancy.directory import CachedDirectory
from tenancy.engines import TenantEngines, Tenants
from tenancy.feed import Feed
from tenancy.keyring import Keyring, WrappedKey
from tenancy.limits import RateLimits
from tenancy.metrics import OWNER_CONNECTIONS
from tenancy.revisions import Which, too_old
from tenancy.sessions import Notice, OwnerDatabase
from tenancy.signals import RedisSignals
from tenancy.tokens import Authenticator, TokenIssuer
from tenancy.wrappers import KeyWrapper, LocalKeyWrapper, refuse_inside

REDIS_RETRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Process:
    """What one process of Hazina is made of."""

    settings: Settings
    services: Services
    authenticator: Authenticator
    servers: Servers
    redis: redis.asyncio.Redis
    engines: TenantEngines
    directory: CachedDirectory
    signals: RedisSignals

    def tenants_on(self, engines: TenantEngines) -> Tenants:
        """The same tenants on connections of another budget."""
        return Tenants(self.directory, engines, self.signals, too_old=too_old(Which.TENANT))


@asynccontextmanager
async def process(settings: Settings, *, connections: int, name: str) -> AsyncIterator[Process]:
    """Connect to everything, and let go of it at the end of the block.

    `connections` is the budget for tenant databases; `name` is what PostgreSQL shows of this process.

    Raises:
        SettingMissing: no database or Redis was named.
        MasterKeyUnusable: the master key is missing, open to others, or beside what it protects.
    """
    async with AsyncExitStack() as stack:
        client = _redis(required(settings.redis_url, "HAZINA_REDIS_URL"))
        stack.push_async_callback(client.aclose)
        engine = _owner_engine(settings, name)
        stack.push_async_callback(engine.dispose)
        servers = Servers.from_urls(*_urls(settings))
        # The owner database tells of its own commits, and marks tenants dirty by committing there.
        owner = OwnerDatabase(engine, RedisSignals(client))
        directory = CachedDirectory(partial(load_tenant, owner, servers))
        await directory.start(client)
        stack.push_async_callback(directory.close)
        engines = TenantEngines(connections, application_name=name)
        stack.push_async_callback(engines.close)
        feed = Feed(client)
        stack.push_async_callback(feed.close)
        signals = RedisSignals(client, partial(mark_dirty, owner))
        connected = _Connected(settings, owner, client, directory, engines, feed, signals)
        services = _services(connected)
        # What was begun ends before its connections do.
        stack.push_async_callback(services.close)
        yield Process(
            settings=settings,
            services=services,
            authenticator=Authenticator(services.tokens, OwnerPrincipals(owner, utc_now), utc_now),
            servers=servers,
            redis=client,
            engines=engines,
            directory=directory,
            signals=signals,
        )


@dataclass(frozen=True, slots=True)
class _Connected:
    """What services stand on."""

    settings: Settings
    owner: OwnerDatabase
    client: redis.asyncio.Redis
    directory: CachedDirectory
    engines: TenantEngines
    feed: Feed
    signals: RedisSignals


def _services(on: _Connected) -> Services:
    settings, owner = on.settings, on.owner
    keyring = Keyring(partial(_tenant_keys, owner), master_key(settings))

    async def tenant_changed(tenant_id: UUID) -> None:
        await on.directory.invalidate(tenant_id)
        await on.feed.publish(tenant_id, Notice("tenant", {}))

    return Services(
        owner=owner,
        tenants=Tenants(on.directory, on.engines, on.signals, too_old=too_old(Which.TENANT)),
        feed=on.feed,
        keyring=keyring,
        limits=RateLimits(on.client),
        tokens=TokenIssuer(partial(load_signing_keys, owner, keyring, utc_now), settings.base_url, utc_now),
        policy=settings.policy,
        clock=utc_now,
        circuits=Circuits(on.client, utc_now),
        tenant_changed=tenant_changed,
    )


def _redis(url: str) -> redis.asyncio.Redis:
    client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
        url,
        retry=redis.asyncio.retry.Retry(ExponentialBackoff(), REDIS_RETRIES),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
        health_check_interval=30,
    )
    return client


def _owner_engine(settings: Settings, name: str) -> AsyncEngine:
    engine = create_async_engine(
        required(settings.database_url, "HAZINA_DATABASE_URL"),
        pool_size=settings.owner_connections_max,
        max_overflow=0,
        pool_timeout=2,
        pool_use_lifo=True,
        # One that died while it lay idle is replaced, instead of failing the request that takes it.
        pool_pre_ping=True,
        pool_recycle=1_800,
        # They would stand in errors, and so in logs.
        hide_parameters=True,
        connect_args={"server_settings": {"application_name": name}},
    )
    if isinstance(engine.pool, QueuePool):
        OWNER_CONNECTIONS.set_function(engine.pool.checkedout)
    return engine


def _urls(settings: Settings) -> Sequence[str]:
    return [url for url in (settings.tenant_url, settings.migrator_url) if url is not None]


async def _tenant_keys(owner: OwnerDatabase, tenant_id: UUID) -> Sequence[WrappedKey]:
    async with owner.reading() as session:
        rows = await session.scalars(select(TenantKey).where(TenantKey.tenant_id == tenant_id))
        return [WrappedKey(row.version, row.wrapped, row.wrapper) for row in rows]


def master_key(settings: Settings) -> KeyWrapper:
    """What wraps the data keys; in development it is made on first use. Raises MasterKeyUnusable."""
    if settings.environment == "development":
        return LocalKeyWrapper.made_if_missing(settings.key_file)
    refuse_inside(settings.key_file, settings.data_dir)
    return LocalKeyWrapper(settings.key_file)
