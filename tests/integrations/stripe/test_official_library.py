"""Stripe's own library speaks to our sandbox as it speaks to Stripe."""

from collections.abc import AsyncIterator

import pytest
import stripe as sdk

from tests.integrations.stripe.conftest import RETURN_URL, Stripe

# The library hands its body to httpx in a way that httpx has given up.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
async def library(stripe: Stripe) -> AsyncIterator[sdk.StripeClient]:
    http = sdk.HTTPXClient(allow_sync_methods=False)
    yield sdk.StripeClient(
        stripe.key,
        base_addresses={"api": stripe.sandbox.url_of("stripe")},
        http_client=http,
        max_network_retries=0,
    )
    await http.close_async()  # type: ignore[no-untyped-call] # the library's


async def test_it_collects_captures_and_refunds(stripe: Stripe, library: sdk.StripeClient) -> None:
    # given
    await stripe.plan("ignored")
    created = await library.v1.payment_intents.create_async(
        {
            "amount": 1_500,
            "currency": "usd",
            "automatic_payment_methods": {"enabled": True},
            "capture_method": "manual",
            "metadata": {"payment_id": "pay_1"},
        }
    )

    # when
    confirmed = await library.v1.payment_intents.confirm_async(
        created.id, {"payment_method": "pm_card_visa", "return_url": RETURN_URL}
    )
    captured = await library.v1.payment_intents.capture_async(created.id, {"amount_to_capture": 1_000})
    refund = await library.v1.refunds.create_async({"payment_intent": created.id, "amount": 400})
    read = await library.v1.payment_intents.retrieve_async(created.id, {"expand": ["latest_charge"]})
    listed = await library.v1.payment_intents.list_async({"limit": 10})

    # then
    assert (created.status, confirmed.status) == ("requires_payment_method", "requires_capture")
    assert (captured.status, captured.amount_received) == ("succeeded", 1_000)
    assert (refund.status, refund.amount) == ("succeeded", 400)
    assert isinstance(read.latest_charge, sdk.Charge)
    assert [intent.id for intent in listed.data] == [created.id]
    assert [row["amount_minor"] for row in await stripe.paid()] == [1_000]
    assert [row["amount_minor"] for row in await stripe.refunded()] == [400]


async def test_it_reads_our_sandbox_s_errors(stripe: Stripe, library: sdk.StripeClient) -> None:
    await stripe.plan("ignored", {"kind": "rate_limited", "operation": "query"})
    created = await library.v1.payment_intents.create_async({"amount": 1_500, "currency": "usd"})

    with pytest.raises(sdk.CardError) as declined:
        await library.v1.payment_intents.confirm_async(
            created.id, {"payment_method": "pm_card_chargeDeclined", "return_url": RETURN_URL}
        )
    with pytest.raises(sdk.RateLimitError):
        await library.v1.payment_intents.retrieve_async(created.id)
    with pytest.raises(sdk.InvalidRequestError):
        await library.v1.payment_intents.retrieve_async("pi_3Qunknown")
    assert declined.value.code == "card_declined"
