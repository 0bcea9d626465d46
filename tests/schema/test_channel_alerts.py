"""A channel that fails is told to people once, and again only for what comes after they dealt with it."""

from datetime import timedelta
from typing import Any

from sqlalchemy import update

from core.clock import utc_now
from core.ids import Kind, outside
from jobs.figures import Figures
from tenancy.context import Services, TenantContext
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.calls.recording import NewCall, record_call
from tenant_db.channels.machine import ChannelStatus
from tenant_db.channels.models import Channel
from tests.factories.callers import ask, caller
from tests.factories.payments import Shop, make_shop

ALERTS = """
{ alerts(kind: CHANNEL_UNHEALTHY) { nodes { id state subject count severity message note } } }
"""
RESOLVE = """
mutation ($id: ID!) { resolveAlert(input: {id: $id, reason: "New keys."}) { __typename } }
"""


async def three_tokens_refused(tenant: Tenant, shop: Shop) -> None:
    refused = NewCall("mpesa", "token", "GET", "/oauth", {}, 400, None, "answered", 50)
    async with tenant.transaction() as session:
        for _ in range(3):
            record_call(session, shop.channel_id, refused)


async def looked(owner: TenantContext, *, days_later: int = 0) -> list[dict[str, Any]]:
    """The alerts, the newest first, after the tenant had its turn."""
    services, later = owner.services, timedelta(days=days_later)
    figures = Figures(services.owner, services.tenants, lambda: utc_now() + later)
    await figures.collect_of(owner.tenant.id)
    return list((await ask(owner, ALERTS))["alerts"]["nodes"])


async def test_an_episode_of_failing_is_one_alert_which_ends_with_it(
    services: Services, tenant: Tenant
) -> None:
    owner = await caller(services, tenant, Role.OWNER)
    shop, _well = await make_shop(tenant), await make_shop(tenant, short_code="600999")

    assert await looked(owner) == []
    await three_tokens_refused(tenant, shop)
    (first,) = await looked(owner)
    assert await looked(owner) == [first]
    await ask(owner, RESOLVE, id=first["id"])
    assert [alert["state"] for alert in await looked(owner)] == ["RESOLVED"]
    await three_tokens_refused(tenant, shop)
    second, _ = await looked(owner)
    recovered, _ = await looked(owner, days_later=2)

    assert first["subject"] == outside(Kind.CHANNEL, shop.channel_id)
    assert (first["state"], first["count"], first["severity"]) == ("OPEN", 1, "WARNING")
    assert "174379" in first["message"]
    assert (second["state"], second["id"] != first["id"]) == ("OPEN", True)
    assert (recovered["id"], recovered["state"]) == (second["id"], "RESOLVED")
    assert recovered["note"] == "The channel works again."


async def test_the_alert_of_a_channel_that_was_switched_off_ends(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant, Role.OWNER)
    shop = await make_shop(tenant)
    await three_tokens_refused(tenant, shop)
    await looked(owner)
    async with tenant.transaction() as session:
        await session.execute(update(Channel).values(status=ChannelStatus.INACTIVE))

    (alert,) = await looked(owner)

    assert (alert["state"], alert["note"]) == ("RESOLVED", "The channel is not active any more.")
