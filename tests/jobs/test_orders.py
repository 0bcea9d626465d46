"""An order ends when its time is over, whoever comes for it and how often."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from core.ids import new_id
from jobs.orders import expire_order
from jobs.work import Done, Later, Work
from tenancy.context import Services
from tenancy.sessions import Tenant
from tenant_db.orders.machine import OrderStatus
from tests.factories.orders import attempt, make_order, read_order
from tests.factories.payments import make_shop


def work(services: Services, tenant: Tenant, order_id: UUID, now: datetime) -> Work:
    then = replace(services, clock=lambda: now)
    return Work(then, tenant, new_id(), "expire_order", {"order_id": str(order_id)}, 1)


async def test_an_order_expires_once_its_time_is_over(services: Services, tenant: Tenant) -> None:
    order = await make_order(tenant, await make_shop(tenant))

    early = await expire_order(work(services, tenant, order.id, order.expires_at - timedelta(seconds=1)))
    in_time = [await expire_order(work(services, tenant, order.id, order.expires_at)) for _ in range(2)]

    assert isinstance(early, Later)
    assert 1 < early.delay_s < 2
    assert [type(one) for one in in_time] == [Done, Done]
    after = await read_order(tenant, order.id)
    assert (after.state, after.version) == (OrderStatus.EXPIRED, 2)


async def test_a_payer_who_is_at_it_is_waited_for(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    await attempt(tenant, shop, order)

    waiting = await expire_order(work(services, tenant, order.id, order.expires_at))
    given_up = await expire_order(work(services, tenant, order.id, order.expires_at + timedelta(hours=1)))

    assert isinstance(waiting, Later)
    assert isinstance(given_up, Done)
    assert (await read_order(tenant, order.id)).state is OrderStatus.EXPIRED
