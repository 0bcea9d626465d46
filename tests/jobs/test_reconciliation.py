"""Every tenant's books are checked once a night, each at its own moment, through its outbox."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from core.clock import Clock
from core.ids import new_id
from core.tenant import TenantStatus
from jobs.reconciliation import CATCH_UP_S, KIND, NIGHT_S, Nights, moment_s, night_of, reconcile_scope
from jobs.work import Dead, Done, Work
from tenancy.columns import OutboxColumns
from tenancy.context import Services
from tenancy.engines import Tenants
from tenancy.sessions import OwnerDatabase, Tenant
from tenancy.shapes import model_of
from tenant_db.reconciliation.models import Reconciliation
from tests.databases import PostgresServer
from tests.factories.payments import make_shop
from tests.factories.reconciliation import findings_of, pay, tamper
from tests.jobs.conftest import Registry

BEGINS = datetime(2026, 11, 21, 21, tzinfo=UTC)


def at(moment: datetime) -> Clock:
    return lambda: moment


async def planned(tenant: Tenant) -> list[Reconciliation]:
    async with tenant.reading() as session:
        return list(await session.scalars(select(Reconciliation).order_by(Reconciliation.scope)))


async def jobs(tenant: Tenant) -> list[UUID]:
    """What the night's jobs are about."""
    async with tenant.reading() as session:
        model = model_of(session, OutboxColumns)
        rows = await session.scalars(select(model).where(model.kind == KIND).order_by(model.id))
        return [UUID(row.payload["reconciliation_id"]) for row in rows]


def work(services: Services, tenant: Tenant, id: UUID) -> Work:
    return Work(services, tenant, new_id(), KIND, {"reconciliation_id": str(id)}, 1)


@pytest.mark.parametrize(
    ("now", "night", "elapsed_s"),
    [
        (BEGINS, date(2026, 11, 21), 0),
        (BEGINS + timedelta(hours=4), date(2026, 11, 21), 14_400),
        (BEGINS - timedelta(seconds=1), date(2026, 11, 20), 86_399),
    ],
)
def test_a_night_is_named_by_the_day_it_begins(now: datetime, night: date, elapsed_s: float) -> None:
    assert night_of(now) == (night, elapsed_s)


def test_tenants_are_spread_over_the_night() -> None:
    moments = [moment_s(new_id()) for _ in range(1_000)]

    assert all(0 <= moment < NIGHT_S for moment in moments)
    for quarter in range(4):
        assert (
            150
            < sum(quarter * NIGHT_S / 4 <= moment < (quarter + 1) * NIGHT_S / 4 for moment in moments)
            < 350
        )


async def test_each_store_and_what_they_share_are_asked_for_once_a_night(
    owner: OwnerDatabase, tenant: Tenant, sweeping: Tenants
) -> None:
    shops = [await make_shop(tenant, short_code=code) for code in ("174379", "600100")]
    last = BEGINS + timedelta(seconds=NIGHT_S)

    for _ in range(2):
        await Nights(owner, sweeping, at(last)).ask()

    rows = await planned(tenant)
    assert {row.scope for row in rows} == {"shared", *(f"store:{shop.store_id}" for shop in shops)}
    assert {(row.night, row.asked_by, row.finished_at) for row in rows} == {
        (date(2026, 11, 21), "night", None)
    }
    assert sorted(await jobs(tenant)) == sorted(row.id for row in rows)

    await Nights(owner, sweeping, at(last + timedelta(days=1))).ask()
    assert len(await jobs(tenant)) == 6


async def test_a_tenant_waits_for_its_moment_and_is_left_alone_by_day(
    owner: OwnerDatabase, tenant: Tenant, second_tenant: Tenant, sweeping: Tenants
) -> None:
    one, other = sorted((tenant, second_tenant), key=lambda each: moment_s(each.id))
    before = BEGINS + timedelta(seconds=moment_s(one.id), microseconds=-1)
    nights = Nights(owner, sweeping, at(before))

    await nights.ask()
    assert await jobs(one) == []
    await Nights(owner, sweeping, at(BEGINS + timedelta(seconds=NIGHT_S + CATCH_UP_S + 1))).ask()
    assert await jobs(one) == await jobs(other) == []
    await Nights(owner, sweeping, at(BEGINS + timedelta(seconds=moment_s(one.id)))).ask()

    assert len(await jobs(one)) == 1
    assert len(await jobs(other)) == (moment_s(other.id) == moment_s(one.id))


async def test_suspended_tenants_are_checked_and_an_outage_keeps_no_other(
    owner: OwnerDatabase, tenant: Tenant, second_tenant: Tenant, sweeping: Tenants, registry: Registry
) -> None:
    registry.set_status(tenant.id, TenantStatus.MOVING)
    registry.set_status(second_tenant.id, TenantStatus.SUSPENDED)
    nights = Nights(owner, sweeping, at(BEGINS + timedelta(seconds=NIGHT_S)))

    await nights.ask()
    assert (await jobs(tenant), len(await jobs(second_tenant))) == ([], 1)
    registry.set_status(tenant.id, TenantStatus.ACTIVE)
    await nights.ask()

    assert len(await jobs(tenant)) == len(await jobs(second_tenant)) == 1


async def test_the_job_checks_its_scope_once(
    owner: OwnerDatabase, tenant: Tenant, sweeping: Tenants, services: Services, postgres: PostgresServer
) -> None:
    shop = await make_shop(tenant)
    await pay(tenant, shop, "TKX0000001")
    await tamper(
        postgres, tenant, "UPDATE ledger_accounts SET pending_debits_minor = 1 WHERE store_id IS NOT NULL"
    )
    await Nights(owner, sweeping, at(BEGINS + timedelta(seconds=NIGHT_S))).ask()

    for _ in range(2):
        for id_ in await jobs(tenant):
            assert await reconcile_scope(work(services, tenant, id_)) == Done()

    (finding,) = await findings_of(tenant, "open")
    rows = {row.scope: row for row in await planned(tenant)}
    assert (finding.kind, finding.store_id) == ("hold_total", shop.store_id)
    assert [rows[scope].finding_count for scope in sorted(rows)] == [0, 1]
    assert all(row.finished_at is not None for row in rows.values())
    assert await reconcile_scope(work(services, tenant, new_id())) == Dead("the check was never planned here")
