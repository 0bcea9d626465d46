"""Payments of one store as they change, and what a stream of many makes up for after a gap."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import redis.asyncio

from core.clock import utc_now
from core.ids import Kind, new_id, outside
from resolvers import payments, payments_feed, payments_missed
from resolvers.payments import PaymentView
from tenancy.context import Services, TenantContext
from tenancy.feed import Feed
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tests.factories.callers import ask, caller, next_data, watching
from tests.factories.payments import Shop, initiate, make_shop

WATCH = "subscription ($id: ID!) { storePayments(storeId: $id) { id status version } }"
WATCH_SINCE = """subscription ($id: ID!, $since: DateTime) {
  storePayments(storeId: $id, since: $since) { id status version }
}"""
WATCH_ALL = "subscription { paymentsUpdated { id status version } }"
CANCEL = "mutation ($id: ID!) { cancelPayment(input: {id: $id}) { __typename } }"


async def of(services: Services, tenant: Tenant) -> tuple[TenantContext, Tenant]:
    """A caller, and the business as the server sees it: what it commits is published."""
    context = await caller(services, tenant, Role.OWNER)
    return context, context.tenant


def store_id(shop: Shop) -> str:
    return outside(Kind.STORE, shop.store_id)


async def test_a_store_hears_of_its_own_payments_only(services: Services, tenant: Tenant) -> None:
    owner, serving = await of(services, tenant)
    shop, other = await make_shop(tenant), await make_shop(tenant, short_code="600999")
    earlier = await initiate(serving, shop)
    foreign = await initiate(serving, other)

    async with watching(owner, WATCH, id=store_id(shop)) as events:
        first = (await next_data(events))["storePayments"]
        await ask(owner, CANCEL, id=outside(Kind.PAYMENT, foreign.id))
        await initiate(serving, other)
        later = await initiate(serving, shop)
        second = (await next_data(events))["storePayments"]
        await ask(owner, CANCEL, id=outside(Kind.PAYMENT, earlier.id))
        third = (await next_data(events))["storePayments"]

    seen = [(told["id"], told["status"], told["version"]) for told in (first, second, third)]
    assert seen == [
        (outside(Kind.PAYMENT, earlier.id), "CREATED", 1),
        (outside(Kind.PAYMENT, later.id), "CREATED", 1),
        (outside(Kind.PAYMENT, earlier.id), "CANCELLED", 2),
    ]


async def test_payments_of_another_store_are_not_even_read(
    services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, serving = await of(services, tenant)
    shop, other = await make_shop(tenant), await make_shop(tenant, short_code="600999")
    await initiate(serving, shop)
    foreign = await initiate(serving, other)
    looked_at: list[UUID] = []
    named = payments.payments_named

    async def noted(context: TenantContext, ids: Collection[UUID]) -> list[PaymentView]:
        looked_at.extend(ids)
        return await named(context, ids)

    monkeypatch.setattr(payments_feed, "payments_named", noted)
    async with watching(owner, WATCH, id=store_id(shop)) as events:
        await next_data(events)
        await ask(owner, CANCEL, id=outside(Kind.PAYMENT, foreign.id))
        own = await initiate(serving, shop)
        await next_data(events)

    assert looked_at == [own.id]


async def test_nobody_watches_a_store_of_another_business(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    stranger, _ = await of(services, second_tenant)
    await make_shop(second_tenant)
    shop = await make_shop(tenant)

    for id_ in (store_id(shop), outside(Kind.STORE, new_id())):
        async with watching(stranger, WATCH, id=id_) as events:
            outcome = await anext(events)
        assert outcome.body["errors"][0]["extensions"]["code"] == "NOT_FOUND"


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams begin with two payments, look two steps at a time, and no further back than they must."""
    monkeypatch.setattr(payments_feed, "RECENT_MAX", 2)
    monkeypatch.setattr(payments_missed, "STEPS_PER_LOOK", 2)
    monkeypatch.setattr(payments_missed, "OVERLAP", timedelta())


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("text", [WATCH, WATCH_ALL])
async def test_after_a_gap_all_that_changed_is_told_however_old_and_nothing_twice(
    services: Services, tenant: Tenant, text: str
) -> None:
    owner, serving = await of(services, tenant)
    shop = await make_shop(tenant)
    old, _, _, _ = [await initiate(serving, shop) for _ in range(4)]

    async with watching(owner, text, **({"id": store_id(shop)} if text is WATCH else {})) as events:
        for _ in range(2):
            await next_data(events)
        # Committed without notices: this business's own fixture tells nobody.
        silent = TenantContext(services, owner.request, owner.principal, tenant)
        missed = [await initiate(tenant, shop) for _ in range(4)]
        await ask(silent, CANCEL, id=outside(Kind.PAYMENT, old.id))
        services.feed._resync()  # noqa: SLF001 - what the feed does after it lost its connection
        told = [(await next_data(events)).popitem()[1] for _ in range(len(missed) + 1)]
        services.feed._resync()  # noqa: SLF001 - a second gap, in which nothing happened
        await ask(owner, CANCEL, id=told[0]["id"])
        last = (await next_data(events)).popitem()[1]

    seen = [(payment["id"], payment["version"]) for payment in told]
    assert seen == [
        *[(outside(Kind.PAYMENT, payment.id), 1) for payment in missed],
        (outside(Kind.PAYMENT, old.id), 2),
    ]
    assert (last["id"], last["version"]) == (told[0]["id"], 2)


@pytest.mark.usefixtures("narrow")
async def test_who_comes_back_is_told_what_changed_or_that_it_is_too_much(
    services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, serving = await of(services, tenant)
    shop, other = await make_shop(tenant), await make_shop(tenant, short_code="600999")
    old, *_ = [await initiate(serving, shop) for _ in range(4)]
    left_at = utc_now()
    foreign = await initiate(serving, other)
    for payment in (old, foreign):
        await ask(owner, CANCEL, id=outside(Kind.PAYMENT, payment.id))
    again = {"id": store_id(shop), "since": left_at.isoformat()}

    async with watching(owner, WATCH_SINCE, **again) as events:
        told = [(await next_data(events))["storePayments"] for _ in range(3)]
        monkeypatch.setattr(payments_missed, "STEPS_MAX", 2)
        services.feed._resync()  # noqa: SLF001 - what the feed does after it lost its connection
        later = await initiate(serving, shop)
        told.append((await next_data(events))["storePayments"])
    async with watching(owner, WATCH_SINCE, **again) as events:
        refused = [outcome async for outcome in events][-1]

    assert [(payment["id"], payment["status"]) for payment in told[2:]] == [
        (outside(Kind.PAYMENT, old.id), "CANCELLED"),
        (outside(Kind.PAYMENT, later.id), "CREATED"),
    ]
    assert refused.body["errors"][0]["extensions"]["code"] == "FEED_INTERRUPTED"


async def test_what_one_server_commits_is_told_by_another(
    services: Services, tenant: Tenant, redis_url: str
) -> None:
    owner, serving = await of(services, tenant)
    shop = await make_shop(tenant)
    await initiate(serving, shop)
    client = redis.asyncio.Redis.from_url(redis_url)
    elsewhere = TenantContext(
        replace(services, feed=Feed(client)), owner.request, owner.principal, owner.bound_tenant
    )
    try:
        async with watching(elsewhere, WATCH, id=store_id(shop)) as events:
            await next_data(events)
            later = await initiate(serving, shop)
            told = (await next_data(events))["storePayments"]
    finally:
        await elsewhere.services.feed.close()
        await client.aclose()

    assert told["id"] == outside(Kind.PAYMENT, later.id)
