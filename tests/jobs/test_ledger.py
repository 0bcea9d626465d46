"""What a hold has set aside is free when its time is over, whoever comes for it."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from core.ids import new_id
from jobs.ledger import expire_hold
from jobs.work import Done, Later, Work
from tenancy.context import Services
from tenancy.sessions import Tenant
from tenant_db.ledger.commands import VoidHold
from tenant_db.ledger.holding import place_hold, void_hold
from tests.factories.batches import hold
from tests.factories.ledger import NOW, make_account, pending_of

END = NOW + timedelta(minutes=10)


async def held(tenant: Tenant, source: UUID, key: str, expires_at: datetime = END) -> UUID:
    target = await make_account(tenant, f"custom:{key}")
    async with tenant.transaction() as session:
        return (await place_hold(session, hold(source, target, 10, key, expires_at), NOW)).id


def work(services: Services, tenant: Tenant, hold_id: UUID, now: datetime) -> Work:
    then = replace(services, clock=lambda: now)
    return Work(then, tenant, new_id(), "expire_hold", {"hold_id": str(hold_id)}, 1)


async def test_all_that_is_due_is_let_go(services: Services, tenant: Tenant) -> None:
    source = await make_account(tenant, "custom:source", balance_minor=100)
    first = await held(tenant, source, "first")
    await held(tenant, source, "second")
    await held(tenant, source, "later", END + timedelta(minutes=1))

    assert isinstance(await expire_hold(work(services, tenant, first, END)), Done)

    assert await pending_of(tenant, source) == (10, 0)
    assert isinstance(await expire_hold(work(services, tenant, first, END)), Done)


async def test_a_run_that_comes_early_comes_again(services: Services, tenant: Tenant) -> None:
    source = await make_account(tenant, "custom:source", balance_minor=100)
    hold_id = await held(tenant, source, "first")

    early = await expire_hold(work(services, tenant, hold_id, END - timedelta(seconds=1)))

    assert isinstance(early, Later)
    assert 1 < early.delay_s < 2
    assert await pending_of(tenant, source) == (10, 0)


async def test_a_hold_that_was_resolved_needs_nobody(services: Services, tenant: Tenant) -> None:
    source = await make_account(tenant, "custom:source", balance_minor=100)
    hold_id = await held(tenant, source, "first")
    async with tenant.transaction() as session:
        await void_hold(session, VoidHold(hold_id), NOW)

    assert isinstance(await expire_hold(work(services, tenant, hold_id, NOW)), Done)
