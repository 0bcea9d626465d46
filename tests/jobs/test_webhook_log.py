"""The log of webhooks is kept for a month, and longer where a message was not delivered."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import DBAPIError

import jobs.webhooks
from core.clock import utc_now
from core.ids import Kind, inside, lowest_id, new_id
from jobs.webhooks import FORGET, forget_webhooks
from jobs.work import Done, Later, Work
from tenancy.context import Services
from tenancy.keyring import Keyring
from tenancy.sessions import Tenant
from tenant_db.webhooks import forgetting
from tenant_db.webhooks.forgetting import KEPT_FOR
from tenant_db.webhooks.models import WebhookAttempt, WebhookDelivery
from tests.factories.webhooks import make_webhook

DAY = timedelta(days=1)


async def told(
    tenant: Tenant, endpoint: UUID, at: datetime, state: str, delivered_at: datetime | None
) -> UUID:
    """A message of that time, tried once."""
    id_ = UUID(int=lowest_id(at).int + new_id().int % 2**60)
    message = WebhookDelivery(
        id=id_,
        created_at=at,
        endpoint_id=endpoint,
        event="payment.succeeded",
        event_key=str(id_),
        subject="pay_1",
        payload={},
        state=state,
        delivered_at=delivered_at,
    )
    async with tenant.transaction() as session:
        session.add(message)
        await session.flush()
        session.add(
            WebhookAttempt(id=new_id(), created_at=delivered_at or at, delivery_id=id_, duration_ms=1)
        )
    return id_


async def test_only_what_was_delivered_a_month_ago_is_deleted_in_small_steps(
    services: Services, keyring: Keyring, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make_webhook(keyring, tenant, "shop")
    endpoint, waiting = inside(Kind.WEBHOOK_ENDPOINT, made["webhook_endpoint"]), made["webhook_delivery"]
    now = utc_now()
    old = now - KEPT_FOR - DAY
    for _ in range(3):
        await told(tenant, endpoint, old, "delivered", old)
    kept = {
        inside(Kind.WEBHOOK_DELIVERY, waiting),
        await told(tenant, endpoint, old, "failed", None),
        await told(tenant, endpoint, old, "pending", None),
        await told(tenant, endpoint, old, "delivered", now - DAY),
        await told(tenant, endpoint, now - KEPT_FOR + DAY, "delivered", now - KEPT_FOR + DAY),
    }
    for module in (jobs.webhooks, forgetting):
        monkeypatch.setattr(module, "AT_ONCE", 2)
    work = Work(services, tenant, new_id(), FORGET, {}, 1)

    monkeypatch.setattr(jobs.webhooks, "RUN_S", 0.0)
    assert isinstance(await forget_webhooks(work), Later), "its time is over before anything was done"
    monkeypatch.setattr(jobs.webhooks, "RUN_S", 30.0)
    assert await forget_webhooks(work) == Done()

    async with tenant.reading() as session:
        assert set(await session.scalars(select(WebhookDelivery.id))) == kept
        assert await session.scalar(select(func.count()).select_from(WebhookAttempt)) == len(kept) - 1
    with pytest.raises(DBAPIError, match="never changed or deleted"):
        async with tenant.transaction() as session:
            await session.execute(delete(WebhookAttempt))
