"""Payments on a business's own account at a provider: sent, told of, settled, and in the books."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis.asyncio
from sqlalchemy import func, select

from core.collecting import CaptureMode, Method
from core.currency import Currency
from core.money import Money
from tenancy.sessions import OwnerDatabase, Tenant
from tenant_db.payments.cancelling import cancel_payment
from tenant_db.payments.capturing import request_capture
from tenant_db.payments.models import PayerStep, Payment
from tenant_db.payments.payer_steps import keep_step
from tests.factories.collecting import (
    Stand,
    bill,
    collect,
    hear,
    open_stand,
    start,
    takings,
)
from tests.factories.journeys import Journey, running_journey
from tests.factories.ledger import require_sound_books
from tests.factories.payments import events_of, read
from tests.factories.reconciliation import check, findings_of

PROVIDERS = ["stripe", "paystack", "flutterwave"]
SENT = ["submitting", "pending", "pending"]
"""How a payment begins whose payer has something to do."""


@pytest.fixture
async def journey(
    owner: OwnerDatabase, tenant: Tenant, redis_client: redis.asyncio.Redis, tmp_path: Path
) -> AsyncIterator[Journey]:
    async with running_journey(owner, [tenant], redis_client, tmp_path) as running:
        yield running


async def follow(journey: Journey, tenant: Tenant, stand: Stand, payment: Payment) -> Payment:
    """All that is still told, and twenty minutes of the ladder."""
    await hear(journey, tenant, stand)
    await journey.run(tenant, within=timedelta(minutes=20))
    return await read(tenant, payment.id)


async def steps(tenant: Tenant, payment: Payment) -> list[str]:
    return [event.to_status for event in await events_of(tenant, payment.id)][1:]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_whatever_goes_wrong_each_payment_ends_as_the_provider_has_it(
    journey: Journey, tenant: Tenant, provider: str
) -> None:
    stand = await open_stand(journey, tenant, provider)
    outcomes = [
        *("success", "busy", "html", "server_error_before_acceptance", "timeout_after_acceptance"),
        *("duplicate_webhook", "missing_webhook", "tampered_amount", "wrong_currency", "bad_signature"),
        *("contradicting_webhook", "webhook_before_response", "query_pending"),
    ]

    ended = {}
    for outcome in outcomes:
        sent = await collect(journey, tenant, stand, outcome)
        ended[outcome] = await follow(journey, tenant, stand, sent)

    paid = (await journey.sandbox.book_of(provider))["paid"]
    assert {payment.status for payment in ended.values()} <= {"succeeded", "failed"}
    succeeded = [payment for payment in ended.values() if payment.status == "succeeded"]
    assert len(succeeded) == len(paid)
    assert {ended[name].status for name in ("success", "busy", "missing_webhook")} == {"succeeded"}
    books = await takings(tenant, stand)
    fees = sum(payment.fee_minor or 0 for payment in succeeded)
    assert (books.holding, books.suspense) == (books.store, 0)
    assert books.store + fees == 150_000 * len(succeeded)
    assert all(payment.fee_minor for payment in succeeded)
    await require_sound_books(tenant)


async def test_a_message_of_another_amount_is_put_before_a_person_and_credits_nothing(
    journey: Journey, tenant: Tenant
) -> None:
    stand = await open_stand(journey, tenant, "stripe")

    sent = await collect(journey, tenant, stand, "tampered_amount")
    await hear(journey, tenant, stand)

    told = await read(tenant, sent.id)
    assert told.needs_review
    # Where the ladder came first it is paid: by what the provider has, not by what was told.
    assert told.status in {"pending", "succeeded"}
    assert (await takings(tenant, stand)).holding <= (sent.amount_minor if told.status == "succeeded" else 0)


@pytest.mark.parametrize("provider", ["paystack", "flutterwave"])
async def test_a_phone_is_asked_through_other_providers_too(
    journey: Journey, tenant: Tenant, provider: str
) -> None:
    stand = await open_stand(journey, tenant, provider)

    sent = await collect(journey, tenant, stand, method=Method.MOBILE_MONEY)
    paid = await follow(journey, tenant, stand, sent)

    assert (paid.status, paid.receipt is not None) == ("succeeded", True)


async def test_what_is_captured_later_is_credited_and_no_more(journey: Journey, tenant: Tenant) -> None:
    stand = await open_stand(journey, tenant, "stripe")
    part = Money(60_000, Currency.KES)

    sent = await collect(journey, tenant, stand, capture=CaptureMode.MANUAL)
    await hear(journey, tenant, stand)
    promised = await read(tenant, sent.id)
    assert (promised.status, promised.authorized_minor) == ("authorized", 150_000)
    assert (await takings(tenant, stand)).store == 0

    async with tenant.transaction() as session:
        await request_capture(session, sent.id, part)
    paid = await follow(journey, tenant, stand, sent)

    assert (paid.status, paid.due, paid.needs_review) == ("succeeded", part, False)
    books = await takings(tenant, stand)
    assert books.store + (paid.fee_minor or 0) == 60_000
    await require_sound_books(tenant)


async def test_what_is_given_up_ends_at_the_provider_too(journey: Journey, tenant: Tenant) -> None:
    stand = await open_stand(journey, tenant, "stripe")
    offers = await journey.providers.offers()
    open_ = await collect(journey, tenant, stand, "ignored")
    promised = await collect(journey, tenant, stand, capture=CaptureMode.MANUAL)
    await hear(journey, tenant, stand)
    left = await collect(journey, tenant, stand, "ignored")

    for payment in (open_, promised):
        async with tenant.transaction() as session:
            await cancel_payment(session, payment.id, journey.clock(), offers)
    await journey.run(tenant)
    await journey.run(tenant, within=timedelta(hours=2))

    assert [(await read(tenant, payment.id)).status for payment in (open_, promised, left)] == [
        "cancelled",
        "cancelled",
        # Nobody took it back: the payer's time was over.
        "expired",
    ]
    assert (await takings(tenant, stand)).store == 0


async def test_what_a_payer_enters_is_handed_on_once_and_kept_nowhere(
    journey: Journey, tenant: Tenant
) -> None:
    stand = await open_stand(journey, tenant, "stripe")
    sent = await collect(journey, tenant, stand, "ignored")

    async with tenant.transaction() as session:
        values = {"payment_method": "pm_card_visa"}
        await keep_step(session, journey.services.keyring, sent.id, values, journey.clock())
    async with tenant.reading() as session:
        (kept,) = await session.scalars(select(PayerStep))
    assert "pm_card_visa" not in kept.sealed
    await journey.run(tenant)
    paid = await follow(journey, tenant, stand, sent)

    assert paid.status == "succeeded"
    async with tenant.reading() as session:
        assert await session.scalar(select(func.count()).select_from(PayerStep)) == 0


async def test_who_takes_nothing_is_passed_over_and_the_next_is_asked(
    journey: Journey, tenant: Tenant
) -> None:
    first = await open_stand(journey, tenant, "stripe", priority=1)
    second = await open_stand(journey, tenant, "paystack", priority=2)
    await journey.sandbox.plan("stripe", "busy", key=first.key)

    payment = await start(journey, tenant, bill(first, routed_by_us=True, store_id=second.store_id))
    await journey.run(tenant)
    paid = await follow(journey, tenant, second, payment)

    assert (paid.status, paid.provider, paid.attempt) == ("succeeded", "paystack", 2)
    assert paid.tried_account_ids == [first.account_id]
    assert (await journey.sandbox.book_of("stripe"))["paid"] == []
    assert await steps(tenant, paid) == ["submitting", "created", "created", *SENT, "succeeded"]


async def test_whoever_was_named_is_not_passed_over(journey: Journey, tenant: Tenant) -> None:
    first = await open_stand(journey, tenant, "stripe", priority=1)
    await open_stand(journey, tenant, "paystack", priority=2)

    sent = await collect(journey, tenant, first, "busy")

    assert (sent.provider, sent.attempt, sent.tried_account_ids) == ("stripe", 1, [])
    assert (await steps(tenant, sent))[:2] == ["submitting", "created"]
    assert (await journey.sandbox.book_of("paystack"))["paid"] == []


async def test_the_books_of_an_account_agree_with_its_payments(journey: Journey, tenant: Tenant) -> None:
    stand = await open_stand(journey, tenant, "stripe")
    whole = await collect(journey, tenant, stand)
    part = await collect(journey, tenant, stand, capture=CaptureMode.MANUAL)
    await hear(journey, tenant, stand)
    async with tenant.transaction() as session:
        await request_capture(session, part.id, Money(60_000, Currency.KES))
    await follow(journey, tenant, stand, whole)

    checked = [await check(tenant, stand.store_id), await check(tenant, None)]

    assert [run.finding_count for run in checked] == [0, 0], await findings_of(tenant)
    assert checked[0].payment_count == 2
