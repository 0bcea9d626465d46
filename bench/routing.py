"""Many tenants under few connections: our leases beside bare asyncpg, on the same requests."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Final

import asyncpg
from bare import Lru, OpenAndClose
from cluster import Cluster, cluster
from fleet import clone_fleet
from pacing import drain, open_loop
from results import Row, middle, percentile

from owner_db.tenants.directory import load_tenant
from owner_db.tenants.models import Tenant
from server.embedded import PORT
from server.embedded_roles import TENANT_ROLE
from tenancy.directory import CachedDirectory
from tenancy.engines import TenantEngines, Tenants

TENANTS: Final = 1_000
BUDGET: Final = 64
CLIENTS: Final = 8
PAYMENTS: Final = 40
"""In each tenant's database."""
ROUNDS: Final = 3
ZIPF_REQUESTS: Final = 4_000
UNIFORM_REQUESTS: Final = 600
COLD_RATE_PER_S: Final = 20
COLD_REQUESTS: Final = 400
WATCH_EVERY_S: Final = 0.1
SEED: Final = 20_261_121
OURS: Final = "hazina-bench"
THEIRS: Final = "bare-asyncpg"
PAGE: Final = (
    "SELECT id, created_at, status, amount_minor::text, currency, phone, reference, receipt"
    " FROM payments ORDER BY created_at DESC, id DESC LIMIT 20"
)

Request = Callable[[Tenant], Awaitable[object]]


@dataclass(slots=True)
class Rates:
    """Requests a second of each round."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Watch:
    """The most connections that were open at once, as the database server counts them."""

    most: int = 0


async def routing() -> list[Row]:
    """Rows `routing_zipf`, `routing_uniform` and `cold_request_p99_ms`."""
    async with cluster() as made:
        fleet = await clone_fleet(made, TENANTS, payments_count=PAYMENTS)
        async with _our_tenants(made) as tenants, _watching(made) as watch:

            async def ours(tenant: Tenant) -> object:
                return await (await tenants.find(tenant.id)).rows(PAGE)

            rows = [
                await _zipf(made, fleet, ours),
                await _uniform(made, fleet, ours),
                await _cold(made, fleet, ours),
            ]
    if watch.most > BUDGET:
        raise AssertionError(f"{watch.most} connections were open under a budget of {BUDGET}")
    print(f"  at most {watch.most} of {BUDGET} connections were open")
    return rows


async def _zipf(made: Cluster, fleet: Sequence[Tenant], ours: Request) -> Row:
    lru = Lru(BUDGET, _arguments(made))

    async def theirs(tenant: Tenant) -> object:
        return await lru.fetch(tenant.database, PAGE)

    weights = [1 / rank for rank in range(1, len(fleet) + 1)]
    trace = random.Random(SEED).choices(fleet, weights, k=ZIPF_REQUESTS)  # noqa: S311 - no secret
    rates = await _compare(trace, ours, theirs)
    await lru.close()
    note = (
        f"{TENANTS} tenants drawn by Zipf(1.0), a page of 20 payments each, {CLIENTS} clients,"
        f" budget {BUDGET}; baseline: bare asyncpg with an LRU of {BUDGET} connections, same trace"
    )
    return _row("routing_zipf", rates, note)


async def _uniform(made: Cluster, fleet: Sequence[Tenant], ours: Request) -> Row:
    bare = OpenAndClose(_arguments(made))

    async def theirs(tenant: Tenant) -> object:
        return await bare.fetch(tenant.database, PAGE)

    trace = random.Random(SEED).choices(fleet, k=UNIFORM_REQUESTS)  # noqa: S311 - no secret
    note = (
        f"{TENANTS} tenants drawn uniformly, nearly every request cold, {CLIENTS} clients, budget {BUDGET};"
        " baseline: bare asyncpg that connects, runs the same query and closes"
    )
    return _row("routing_uniform", await _compare(trace, ours, theirs), note)


async def _cold(made: Cluster, fleet: Sequence[Tenant], ours: Request) -> Row:
    """Nobody is asked twice, so each request finds no connection, and its tenant in no cache."""
    bare = OpenAndClose(_arguments(made))
    strangers = random.Random(SEED + 1).sample(fleet, COLD_REQUESTS)  # noqa: S311 - no secret
    times = await open_loop([partial(ours, tenant) for tenant in strangers], COLD_RATE_PER_S)
    base = await open_loop(
        [partial(bare.fetch, tenant.database, PAGE) for tenant in strangers], COLD_RATE_PER_S
    )
    note = (
        f"first request of a tenant, registry look-up included, at {COLD_RATE_PER_S}/s with the budget full;"
        " baseline: bare asyncpg that connects, runs the same query and closes"
    )
    return Row(
        "cold_request_p99_ms", percentile(times, 99) * 1e3, "ms", percentile(base, 99) * 1e3, len(times), note
    )


async def _compare(trace: Sequence[Tenant], ours: Request, theirs: Request) -> Rates:
    """Take turns, after a first round each that counts for nothing."""
    rates = Rates()
    await _rate(trace, theirs)
    await _rate(trace, ours)
    for _ in range(ROUNDS):
        rates.theirs.append(await _rate(trace, theirs))
        rates.ours.append(await _rate(trace, ours))
        print(f"  ours {rates.ours[-1]:.0f}/s, bare {rates.theirs[-1]:.0f}/s", flush=True)
    return rates


async def _rate(trace: Sequence[Tenant], request: Request) -> float:
    began = perf_counter()
    await drain([partial(request, tenant) for tenant in trace], CLIENTS)
    return len(trace) / (perf_counter() - began)


def _row(name: str, rates: Rates, note: str) -> Row:
    return Row(name, middle(rates.ours), "requests/s", middle(rates.theirs), len(rates.ours), note)


def _arguments(made: Cluster) -> dict[str, object]:
    return {
        "user": TENANT_ROLE,
        "host": str(made.postgres.socket_dir),
        "port": PORT,
        "server_settings": {"application_name": THEIRS},
    }


@asynccontextmanager
async def _our_tenants(made: Cluster) -> AsyncIterator[Tenants]:
    """What a server process has: the directory over Redis, and the leases."""
    engines = TenantEngines(BUDGET, application_name=OURS)
    directory = CachedDirectory(lambda tenant_id: load_tenant(made.owner, made.servers, tenant_id))
    await directory.start(made.client)
    try:
        yield Tenants(directory, engines, made.signals)
    finally:
        await directory.close()
        await engines.close()


@asynccontextmanager
async def _watching(made: Cluster) -> AsyncIterator[Watch]:
    watch = Watch()
    connection = await made.superuser()
    task = asyncio.create_task(_count(connection, watch))
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.close()


async def _count(connection: asyncpg.Connection, watch: Watch) -> None:
    while True:
        found = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", OURS
        )
        watch.most = max(watch.most, found)
        await asyncio.sleep(WATCH_EVERY_S)
