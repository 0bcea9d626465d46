"""Payments as they change, over the tenant schema."""

import asyncio

import asyncpg
import pytest

from core.ids import Kind, new_id, outside
from tenancy.context import Services, TenantContext
from tenancy.feed import channel_of, message_of
from tenancy.roles import Role
from tenancy.sessions import Notice, Tenant
from tenant_db.payments.models import Payment
from tests.factories.callers import ask, caller, next_data, watching
from tests.factories.payments import initiate, make_shop

WATCH = "subscription ($id: ID!) { paymentUpdated(id: $id) { id status version amount { amount } } }"
WATCH_ALL = "subscription { paymentsUpdated { id status version } }"
CANCEL = "mutation ($id: ID!) { cancelPayment(input: {id: $id}) { __typename } }"


async def of(services: Services, tenant: Tenant, role: Role = Role.OWNER) -> tuple[TenantContext, Tenant]:
    """A caller, and the business as the server sees it: what it commits is published."""
    context = await caller(services, tenant, role)
    return context, context.tenant


async def test_the_present_state_comes_first_and_then_each_newer_one(
    services: Services, tenant: Tenant
) -> None:
    owner, serving = await of(services, tenant)
    payment = await initiate(serving, await make_shop(tenant))
    id_ = outside(Kind.PAYMENT, payment.id)

    async with watching(owner, WATCH, id=id_) as events:
        first = (await next_data(events))["paymentUpdated"]
        await ask(owner, CANCEL, id=id_)
        second = (await next_data(events))["paymentUpdated"]

    assert (first["id"], first["status"], first["version"]) == (id_, "CREATED", 1)
    assert first["amount"] == {"amount": "1500.00"}
    assert (second["id"], second["status"], second["version"]) == (id_, "CANCELLED", 2)


async def test_what_changes_between_subscribing_and_reading_is_not_lost(
    services: Services, tenant: Tenant
) -> None:
    owner, serving = await of(services, tenant)
    payment = await initiate(serving, await make_shop(tenant))
    id_ = outside(Kind.PAYMENT, payment.id)

    async with watching(owner, WATCH, id=id_) as events:
        cancelling = asyncio.ensure_future(ask(owner, CANCEL, id=id_))
        seen = [(await next_data(events))["paymentUpdated"]["status"]]
        await cancelling
        if seen != ["CANCELLED"]:
            seen.append((await next_data(events))["paymentUpdated"]["status"])

    assert seen[-1] == "CANCELLED"


async def test_a_gap_in_the_feed_is_read_over(services: Services, tenant: Tenant) -> None:
    owner, serving = await of(services, tenant)
    payment = await initiate(serving, await make_shop(tenant))
    id_ = outside(Kind.PAYMENT, payment.id)

    async with watching(owner, WATCH, id=id_) as events:
        await next_data(events)
        # Committed without a notice: this business's own fixture tells nobody.
        silent = TenantContext(services, owner.request, owner.principal, tenant)
        await ask(silent, CANCEL, id=id_)
        services.feed._resync()  # noqa: SLF001 - what the feed does after it lost its connection
        seen = (await next_data(events))["paymentUpdated"]

    assert (seen["status"], seen["version"]) == ("CANCELLED", 2)


async def test_all_payments_come_as_they_change(services: Services, tenant: Tenant) -> None:
    owner, serving = await of(services, tenant)
    shop = await make_shop(tenant)
    older = await initiate(serving, shop)
    newer = await initiate(serving, shop)

    async with watching(owner, WATCH_ALL) as events:
        seen = [(await next_data(events))["paymentsUpdated"]["id"] for _ in range(2)]
        added = await initiate(serving, shop)
        seen.append((await next_data(events))["paymentsUpdated"]["id"])
        await ask(owner, CANCEL, id=outside(Kind.PAYMENT, older.id))
        last = (await next_data(events))["paymentsUpdated"]

    assert seen == [outside(Kind.PAYMENT, payment.id) for payment in (older, newer, added)]
    assert (last["id"], last["status"]) == (outside(Kind.PAYMENT, older.id), "CANCELLED")


async def test_another_business_is_told_nothing(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    owner, serving = await of(services, tenant)
    stranger, _ = await of(services, second_tenant)
    payment = await initiate(serving, await make_shop(tenant))

    async with watching(stranger, WATCH, id=outside(Kind.PAYMENT, payment.id)) as events:
        outcome = await anext(events)
    assert outcome.body["errors"][0]["extensions"]["code"] == "NOT_FOUND"

    async with watching(stranger, WATCH_ALL) as events:
        theirs = asyncio.ensure_future(anext(events))
        await ask(owner, CANCEL, id=outside(Kind.PAYMENT, payment.id))
        own = await initiate((await of(services, second_tenant))[1], await make_shop(second_tenant))
        told = await theirs

    assert told.body["data"]["paymentsUpdated"]["id"] == outside(Kind.PAYMENT, own.id)


async def test_nothing_is_watched_without_the_scope(services: Services, tenant: Tenant) -> None:
    owner, _ = await of(services, tenant)
    assert owner.principal is not None
    nobody = TenantContext(services, owner.request, None, tenant)

    for text, variables in ((WATCH, {"id": outside(Kind.PAYMENT, new_id())}), (WATCH_ALL, {})):
        async with watching(nobody, text, **variables) as events:
            outcome = await anext(events)
        assert outcome.body["errors"][0]["extensions"]["code"] == "NOT_SIGNED_IN"


async def test_what_changes_together_is_read_together_and_what_was_seen_is_not_read(
    services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, serving = await of(services, tenant)
    shop = await make_shop(tenant)
    changed = [await initiate(serving, shop) for _ in range(5)]
    silent = TenantContext(services, owner.request, owner.principal, tenant)
    readings: list[int] = []
    read = Tenant.rows

    async def counted(of: Tenant, sql: str, *arguments: object) -> list[asyncpg.Record]:
        found = await read(of, sql, *arguments)
        readings.append(len(found))
        return found

    def tell(payment: Payment, version: int) -> None:
        notice = Notice("payments", {"id": str(payment.id), "version": version})
        services.feed._deliver(channel_of(tenant.id), message_of(notice))  # noqa: SLF001 - what Redis would tell

    async with watching(owner, WATCH_ALL) as events:
        for _ in changed:
            await next_data(events)
        for payment in changed:
            await ask(silent, CANCEL, id=outside(Kind.PAYMENT, payment.id))
        added = await initiate(tenant, shop)
        monkeypatch.setattr(Tenant, "rows", counted)
        for payment in changed:
            tell(payment, 2)
        seen = [(await next_data(events))["paymentsUpdated"]["version"] for _ in changed]
        for payment in changed:
            tell(payment, 2)
        tell(added, 1)
        last = (await next_data(events))["paymentsUpdated"]["id"]

    assert (seen, last, readings) == ([2] * 5, outside(Kind.PAYMENT, added.id), [5, 1])
