"""PostgreSQL is killed in the middle of bulk posting: what was answered is there, and nothing twice."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from typing import Final

import pytest

import server.child
from core.ids import new_id
from server.embedded import EmbeddedPostgres
from server.embedded_roles import MAINTENANCE_DATABASE, MIGRATOR_ROLE
from tenancy.engines import TenantEngines
from tenancy.migrations import upgrade
from tenancy.revisions import Which
from tenancy.sessions import Tenant
from tenant_db.ledger.rules import NormalSide
from tests.bookkeeping import require_true_books
from tests.conftest import RecordedSignals
from tests.databases import PostgresServer
from tests.embedded import throwaway_postgres
from tests.factories.ledger import make_account
from tests.factories.tenants import tenant_ref
from tests.faults.clerks import BULK, Clerks

CLERKS: Final = 4
SEED: Final = 20_261_121
JITTER_S: Final = 0.05
PER_KILL: Final = 12
"""Bulks of each clerk for each death of the database."""


@pytest.fixture
async def embedded(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EmbeddedPostgres]:
    """With the settings of production: what is answered is on the disk."""
    # It is killed again so soon that its supervisor would take it for one that can't start.
    monkeypatch.setattr(server.child, "QUICK_FAILURES_MAX", 1_000)
    async with throwaway_postgres(settings={}) as running:
        yield running


@pytest.fixture
async def fragile(embedded: EmbeddedPostgres, signals: RecordedSignals) -> AsyncIterator[Tenant]:
    """A tenant on a PostgreSQL that may be killed."""
    server = PostgresServer(embedded.url("postgres", "postgres"), "t_")
    tenant_id, name = new_id(), server.new_name()
    migrator = await server.connect(MIGRATOR_ROLE, MAINTENANCE_DATABASE)
    await migrator.execute(f'CREATE DATABASE "{name}"')
    await migrator.close()
    await upgrade(server.url(MIGRATOR_ROLE, name), Which.TENANT)
    migrator = await server.connect(MIGRATOR_ROLE, name)
    await migrator.execute("INSERT INTO identity (is_only, tenant_id) VALUES (true, $1)", tenant_id)
    await migrator.close()
    engines = TenantEngines(2 * CLERKS, per_tenant=2 * CLERKS)
    yield Tenant(tenant_ref(server.tenant_url(), name, id=tenant_id), engines, signals)
    await engines.close()


async def kill_often(embedded: EmbeddedPostgres, clerks: Clerks, kills: int) -> None:
    """Each time some bulks were answered, at a moment that nobody chose."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    for number in range(kills):
        await clerks.until_answered((number * PER_KILL + 3) * CLERKS)
        await asyncio.sleep(chance.uniform(0, JITTER_S))  # a moment that means nothing is the point
        pid = int((embedded.cluster_dir / "postmaster.pid").read_text().split()[0])
        os.killpg(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(2, id="some"),
        pytest.param(15, marks=[pytest.mark.faults, pytest.mark.timeout(600)], id="many"),
    ],
)
async def test_killing_postgresql_in_the_middle_of_bulks_loses_and_doubles_nothing(
    embedded: EmbeddedPostgres, fragile: Tenant, kills: int
) -> None:
    source = await make_account(fragile, "holding:fragile", side=NormalSide.DEBIT)
    targets = [await make_account(fragile, f"store:{number}:available:fragile") for number in range(5)]
    clerks = Clerks(fragile, source, targets)

    async with asyncio.TaskGroup() as group:
        group.create_task(kill_often(embedded, clerks, kills))
        group.create_task(clerks.post_all(CLERKS, kills * PER_KILL))

    rows = await fragile.rows("SELECT idempotency_key, id FROM ledger_transfers")
    assert len(rows) == CLERKS * kills * PER_KILL * BULK
    assert {row["idempotency_key"]: row["id"] for row in rows} == clerks.acknowledged
    assert clerks.setbacks.total() >= kills
    await require_true_books(fragile)
