"""What M-Pesa tells twice, late, never, or what somebody else makes up: one credit, or none."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from integrations.sandbox import demo
from tenancy.sessions import Tenant
from tenant_db.channels.machine import ChannelKind
from tenant_db.payments.models import Payment
from tests.factories.journeys import Journey
from tests.factories.payments import PHONE, books, confirmations, read
from tests.factories.telling import CREDITED, NOTHING

MINUTES = timedelta(minutes=4)
"""Past the window of a prompt."""


async def states(journey: Journey, tenant: Tenant) -> list[str]:
    return [message.state for message in await journey.messages(tenant)]


async def callback(
    journey: Journey, payment: Payment, id: str | None = None, amount: int = 1_500, code: int = 0
) -> tuple[str, bytes]:
    """The path of a payment's callback, and a success as M-Pesa would tell it."""
    (prompt,) = await journey.prompts(payment)
    items = [
        {"Name": "Amount", "Value": amount},
        {"Name": "MpesaReceiptNumber", "Value": "TKXFORGED1"},
        {"Name": "TransactionDate", "Value": 20261121103015},
        {"Name": "PhoneNumber", "Value": int(PHONE.digits)},
    ]
    told = {
        "MerchantRequestID": prompt["merchant_request_id"],
        "CheckoutRequestID": id or prompt["id"],
        "ResultCode": code,
        "ResultDesc": "Told",
        "CallbackMetadata": {"Item": items},
    }
    return urlsplit(prompt["callback_url"]).path, orjson.dumps({"Body": {"stkCallback": told}})


@pytest.mark.parametrize("kind", list(ChannelKind))
@pytest.mark.parametrize("order", ["before", "after"])
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


async def test_a_duplicate_callback_changes_nothing(journey: Journey, tenant: Tenant) -> None:
    shop = await journey.open_shop(tenant)

    payment = await journey.pay(tenant, {"kind": "duplicate_callback", "c2b": "never"})
    after = await journey.tell(tenant, payment)

    assert after.status == "succeeded"
    assert await states(journey, tenant) == ["processed"]
    assert await books(tenant, shop) == CREDITED


async def test_a_contradiction_after_a_success_goes_to_review(journey: Journey, tenant: Tenant) -> None:
    shop = await journey.open_shop(tenant)

    payment = await journey.pay(tenant, {"kind": "contradicting_callback", "c2b": "never"})
    after = await journey.tell(tenant, payment)

    assert (after.status, after.needs_review) == ("succeeded", True)
    assert await states(journey, tenant) == ["processed", "quarantined"]
    assert await books(tenant, shop) == CREDITED


async def test_a_success_that_the_provider_denies_goes_to_review(journey: Journey, tenant: Tenant) -> None:
    shop = await journey.open_shop(tenant)
    way = {"kind": "cancelled", "callback": "contradicting", "c2b": "never"}

    payment = await journey.pay(tenant, way)
    after = await journey.tell(tenant, payment)

    assert (after.status, after.needs_review) == ("cancelled", True)
    assert await states(journey, tenant) == ["processed", "quarantined"]
    assert await books(tenant, shop) == NOTHING


async def test_a_tampered_amount_is_set_aside_and_the_true_one_credited(
    journey: Journey, tenant: Tenant
) -> None:
    shop = await journey.open_shop(tenant)

    payment = await journey.pay(tenant, {"kind": "tampered_amount", "c2b": "never"})
    after = await journey.tell(tenant, payment)

    assert await states(journey, tenant) == ["quarantined"]
    assert (after.status, after.receipt) == ("succeeded", None)
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

    await journey.post(*await callback(journey, payment))
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


async def test_money_that_nobody_asked_for_waits_in_suspense(journey: Journey, tenant: Tenant) -> None:
    shop = await journey.open_shop(tenant)

    await journey.sandbox.pay_by_hand(demo.DEMO_PAYBILL, "1000.00", PHONE.digits, "VIP001", validate=True)
    await journey.run(tenant)

    found = await books(tenant, shop)
    assert (found.holding, found.store, found.suspense) == (100_000, 0, 100_000)


async def test_a_callback_for_another_tenants_payment_crosses_nothing(
    journey_of_two: Journey, tenant: Tenant, second_tenant: Tenant
) -> None:
    journey = journey_of_two
    shop, other = await journey.open_shop(tenant), await journey.open_shop(second_tenant)
    way: dict[str, Any] = {"kind": "withheld_callback", "query": "pending", "c2b": "never"}
    ours = await journey.pay(tenant, way)
    theirs = await journey.pay(second_tenant, way)
    (their_prompt,) = await journey.prompts(theirs)

    answer = await journey.post(*await callback(journey, ours, id=their_prompt["id"]))
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
    our_path, our_body = await callback(journey, ours)
    their_path, _ = await callback(journey, theirs)
    mixed = f"{their_path.rpartition('/')[0]}/{our_path.rpartition('/')[2]}"

    await journey.post(mixed, our_body)
    await journey.run(tenant)
    await journey.run(second_tenant)

    assert await states(journey, second_tenant) == ["quarantined"]
    assert await states(journey, tenant) == []
    assert (await read(tenant, ours.id)).status == "pending"
