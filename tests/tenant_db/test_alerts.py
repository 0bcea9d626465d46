"""Alerts: one row for one trouble, told in its transaction, and shown to the platform."""

from uuid import UUID

import pytest
from sqlalchemy import select

from core.alerts import AlertKind, AlertState, Severity
from core.ids import new_id
from jobs.alerts import copy_alert
from jobs.work import Dead, Done, Work
from owner_db.alerts.models import PlatformAlert
from owner_db.alerts.raising import raise_platform_alert
from tenancy.context import Services
from tenancy.sessions import Tenant
from tenant_db.alerts.errors import AlertResolved
from tenant_db.alerts.handling import acknowledge_alert, resolve_alert, resolve_by_key
from tenant_db.alerts.models import Alert
from tenant_db.alerts.raising import raise_alert
from tests.conftest import RecordedSignals
from tests.factories.ledger import NOW
from tests.racing import race

SUBJECT = "chan_1"


async def raised(tenant: Tenant, *, message: str = "It is odd.", severity: Severity | None = None) -> UUID:
    async with tenant.transaction() as session:
        return await raise_alert(
            session, AlertKind.MESSAGE_QUARANTINED, SUBJECT, message, severity=severity, details={"n": 1}
        )


async def read(tenant: Tenant, id: UUID) -> Alert:
    async with tenant.reading() as session:
        return await session.get_one(Alert, id)


async def test_the_same_trouble_again_is_one_alert_with_a_count(tenant: Tenant) -> None:
    first = await raised(tenant)
    second = await raised(tenant, message="It is odd again.")

    alert = await read(tenant, first)
    assert second == first
    assert (alert.count, alert.message, alert.state) == (2, "It is odd again.", "open")


async def test_rivals_that_see_one_trouble_count_it_once_each(tenant: Tenant) -> None:
    id_ = await raised(tenant)

    found = await race(tenant, select(Alert.id).with_for_update(), [lambda: raised(tenant)] * 4)

    assert set(found) == {id_}
    assert (await read(tenant, id_)).count == 5


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (Severity.CRITICAL, Severity.INFO, Severity.CRITICAL),
        (Severity.INFO, Severity.CRITICAL, Severity.CRITICAL),
    ],
)
async def test_a_grave_alert_does_not_become_a_small_one(
    tenant: Tenant, first: Severity, second: Severity, kept: Severity
) -> None:
    id_ = await raised(tenant, severity=first)
    await raised(tenant, severity=second)

    assert (await read(tenant, id_)).severity == kept


async def test_what_comes_after_the_resolution_is_a_new_alert(tenant: Tenant) -> None:
    id_ = await raised(tenant)
    async with tenant.transaction() as session:
        await acknowledge_alert(session, id_, "user:1", NOW)
        resolved = await resolve_alert(session, id_, "user:1", "The keys were replaced.", NOW)

    assert (resolved.state, resolved.acknowledged_by, resolved.note) == (
        AlertState.RESOLVED,
        "user:1",
        "The keys were replaced.",
    )
    assert await raised(tenant) != id_
    async with tenant.transaction() as session:
        with pytest.raises(AlertResolved):
            await resolve_alert(session, id_, "user:2", "again", NOW)
        with pytest.raises(AlertResolved):
            await acknowledge_alert(session, id_, "user:2", NOW)


async def test_an_alert_that_was_taken_on_stays_so_when_its_trouble_repeats(tenant: Tenant) -> None:
    id_ = await raised(tenant)
    async with tenant.transaction() as session:
        await acknowledge_alert(session, id_, "user:1", NOW)

    assert await raised(tenant) == id_
    assert (await read(tenant, id_)).state == AlertState.ACKNOWLEDGED


async def test_a_trouble_that_is_gone_takes_its_alert_with_it(tenant: Tenant) -> None:
    id_ = await raised(tenant)
    async with tenant.transaction() as session:
        await resolve_by_key(session, f"message_quarantined:{SUBJECT}", "system", "It was read.", NOW)
        await resolve_by_key(session, "message_quarantined:chan_2", "system", "It was read.", NOW)

    assert (await read(tenant, id_)).state == AlertState.RESOLVED


async def test_subscribers_and_the_platform_are_told_after_the_commit(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with tenant.transaction() as session:
            await raise_alert(session, AlertKind.OVERDRAFT, SUBJECT, "Gone.")
            raise ZeroDivisionError
    assert signals.after == []

    id_ = await raised(tenant)

    (after,) = signals.after
    assert [(notice.topic, notice.payload) for notice in after.notices] == [
        ("alerts", {"id": str(id_), "version": 1})
    ]
    assert list(after.due) == ["platform"]


async def test_a_flood_is_copied_whenever_its_count_has_doubled(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    for _ in range(9):
        await raised(tenant)

    assert sum("platform" in after.due for after in signals.after) == 4  # at 1, 2, 4 and 8


def copying(services: Services, tenant: Tenant, alert_id: UUID) -> Work:
    return Work(services, tenant, new_id(), "copy_alert", {"alert_id": str(alert_id)}, 1)


async def copies(services: Services) -> list[PlatformAlert]:
    async with services.owner.reading() as session:
        return list(await session.scalars(select(PlatformAlert).order_by(PlatformAlert.id)))


async def test_the_platform_sees_each_alert_as_it_stands(services: Services, tenant: Tenant) -> None:
    id_ = await raised(tenant)
    work = copying(services, tenant, id_)
    assert await copy_alert(work) == await copy_alert(work) == Done()
    (copy,) = await copies(services)
    assert (copy.tenant_id, copy.source_id, copy.state, copy.details) == (tenant.id, id_, "open", {"n": 1})

    async with tenant.transaction() as session:
        await resolve_alert(session, id_, "user:1", "Done.", NOW)
    await copy_alert(work)

    (copy,) = await copies(services)
    assert (copy.state, copy.note, copy.version) == ("resolved", "Done.", 2)
    assert isinstance(await copy_alert(copying(services, tenant, new_id())), Dead)


async def test_an_older_version_never_replaces_a_newer_copy(services: Services, tenant: Tenant) -> None:
    id_ = await raised(tenant)
    await raised(tenant, message="newer")
    await copy_alert(copying(services, tenant, id_))
    async with tenant.transaction() as session:
        (await session.get_one(Alert, id_)).version = 1
        (await session.get_one(Alert, id_)).message = "older"

    await copy_alert(copying(services, tenant, id_))

    (copy,) = await copies(services)
    assert copy.message == "newer"


async def test_the_platform_s_own_alerts_are_counted_by_tenant_and_subject(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    async with services.owner.transaction() as session:
        ids = [
            await raise_platform_alert(
                session, AlertKind.HISTORY_REWRITTEN, "ledger", "Rewritten.", tenant_id=id_
            )
            for id_ in (tenant.id, tenant.id, second_tenant.id)
        ]

    assert ids[0] == ids[1] != ids[2]
    assert {copy.tenant_id: copy.count for copy in await copies(services)} == {
        tenant.id: 2,
        second_tenant.id: 1,
    }
