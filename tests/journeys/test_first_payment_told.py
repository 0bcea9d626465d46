"""What M-Pesa tells twice, late, never, or what somebody else makes up: one credit, or none."""

from datetime import timedelta
from typing import Any

import pytest

from tenancy.sessions import Tenant
from tenant_db.channels.machine import ChannelKind
from tenant_db.payments.models import Payment
from tests.factories.journeys import Journey
from tests.factories.payments import PHONE, books, confirmations, read
from tests.factories.prompts import callback_of
from tests.factories.telling import CREDITED, NOTHING

MINUTES = timedelta(minutes=4)
"""Past the window of a prompt."""


async def states(journey: Journey, tenant: Tenant) -> list[str]:
    return [message.state for message in await journey.messages(tenant)]


@pytest.mark.parametrize(("kind", "order"), [(ChannelKind.TILL, "before"), (ChannelKind.BUYGOODS, "after")])
async def test_one_payment_told_by_callback_and_by_confirmation_is_credited_once(
    journey: Journey, tenant: Tenant, kind: ChannelKind, order: str
) -> None:
    shop = await journey.open_shop(tenant, kind)

    payment = await journey.pay(tenant, {"kind": "success", "c2b": order})
    after = await journey.tell(tenant, payment)

    assert (after.status, after.needs_review) == ("succeeded", False)
    (confirmation,) = await confirmations(tenant)
    assert (confirmation.payment_id, confirmation.receipt) == (payment.id, after.receipt)
    assert await states(journey, tenant) == ["processed", "processed"]
    assert await books(tenant, shop) == CREDITED


async def test_a_callback_that_never_comes_is_asked_for(journey: Journey, tenant: Tenant) -> None:
    shop = await journey.open_shop(tenant)

    payment = await journey.pay(tenant, {"kind": "missing_callback", "c2b": "never"})
    await journey.run(tenant, within=MINUTES)

    after = await read(tenant, payment.id)
    assert (after.status, after.receipt) == ("succeeded", None)
    assert await books(tenant, shop) == CREDITED

    await journey.sandbox.pay_by_hand(
        shop.short_code, "1500.00", PHONE.digits, payment.reference, receipt="TKX0000077"
    )
    await journey.run(tenant)
    assert (await read(tenant, payment.id)).receipt == "TKX0000077"
    assert await books(tenant, shop) == CREDITED


async def test_a_late_callback_brings_the_receipt(journey: Journey, tenant: Tenant) -> None:
    shop = await journey.open_shop(tenant)
    payment = await journey.pay(tenant, {"kind": "withheld_callback", "c2b": "never"})
    await journey.run(tenant, within=MINUTES)
    assert (await read(tenant, payment.id)).status == "succeeded"

    after = await journey.tell(tenant, payment)

    (prompt,) = await journey.prompts(payment)
    assert after.receipt == prompt["receipt"]
    assert await books(tenant, shop) == CREDITED


async def expire(journey: Journey, tenant: Tenant) -> Payment:
    """A payment nobody answered, asked about too late to be called a failure."""
    way = {"kind": "unreachable", "callback": "withheld", "query": "pending", "c2b": "never"}
    payment = await journey.pay(tenant, way)
    await journey.run(tenant, within=MINUTES)
    assert (await read(tenant, payment.id)).status == "pending"
    journey.clock.ahead += MINUTES
    return await journey.tell(tenant, payment)


async def test_a_prompt_that_nobody_answered_expires_and_its_late_money_is_not_lost(
    journey: Journey, tenant: Tenant
) -> None:
    shop = await journey.open_shop(tenant)
    payment = await expire(journey, tenant)
    assert payment.status == "expired"

    await journey.post(*await callback_of(journey, payment))
    await journey.run(tenant)

    after = await read(tenant, payment.id)
    assert (after.status, after.receipt) == ("succeeded", "TKXFORGED1")
    assert await books(tenant, shop) == CREDITED


async def test_late_money_told_by_confirmation_is_not_lost(journey: Journey, tenant: Tenant) -> None:
    shop = await journey.open_shop(tenant)
    payment = await expire(journey, tenant)

    await journey.sandbox.pay_by_hand(shop.short_code, "1500.00", PHONE.digits, payment.reference)
    await journey.run(tenant)

    assert (await read(tenant, payment.id)).status == "succeeded"
    assert await books(tenant, shop) == CREDITED


async def test_a_callback_for_another_tenants_payment_crosses_nothing(
    journey_of_two: Journey, tenant: Tenant, second_tenant: Tenant
) -> None:
    journey = journey_of_two
    shop, other = await journey.open_shop(tenant), await journey.open_shop(second_tenant)
    way: dict[str, Any] = {"kind": "withheld_callback", "query": "pending", "c2b": "never"}
    ours = await journey.pay(tenant, way)
    theirs = await journey.pay(second_tenant, way)
    (their_prompt,) = await journey.prompts(theirs)

    answer = await journey.post(*await callback_of(journey, ours, id=their_prompt["id"]))
    await journey.run(tenant)
    await journey.run(second_tenant)

    assert answer.status_code == 200
    assert await states(journey, tenant) == ["quarantined"]
    assert await states(journey, second_tenant) == []
    assert (await read(tenant, ours.id)).status == "pending"
    assert (await read(second_tenant, theirs.id)).status == "pending"
    assert await books(tenant, shop) == NOTHING
    assert await books(second_tenant, other) == NOTHING


async def test_one_tenants_address_under_anothers_endpoint_crosses_nothing(
    journey_of_two: Journey, tenant: Tenant, second_tenant: Tenant
) -> None:
    journey = journey_of_two
    await journey.open_shop(tenant)
    await journey.open_shop(second_tenant)
    way: dict[str, Any] = {"kind": "withheld_callback", "query": "pending", "c2b": "never"}
    ours, theirs = await journey.pay(tenant, way), await journey.pay(second_tenant, way)
    our_path, our_body = await callback_of(journey, ours)
    their_path, _ = await callback_of(journey, theirs)
    mixed = f"{their_path.rpartition('/')[0]}/{our_path.rpartition('/')[2]}"

    await journey.post(mixed, our_body)
    await journey.run(tenant)
    await journey.run(second_tenant)

    assert await states(journey, second_tenant) == ["quarantined"]
    assert await states(journey, tenant) == []
    assert (await read(tenant, ours.id)).status == "pending"
