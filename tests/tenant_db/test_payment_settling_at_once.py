"""Callbacks and confirmations settled at once leave what the verbs leave, and only where nothing objects."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import pytest
from sqlalchemy import Update, select, update

from core.clock import utc_now
from core.currency import Currency
from core.ids import new_id
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.channels.machine import ChannelKind
from tenant_db.inbox.models import TenantInbox
from tenant_db.ledger.models import LedgerAccount
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments.machine import NEXT, PaymentStatus
from tenant_db.payments.matching import settle_by_confirmation
from tenant_db.payments.matching_at_once import match_at_once
from tenant_db.payments.models import Confirmation, Payment
from tenant_db.payments.settling_at_once import settle_at_once
from tenant_db.webhooks.models import WebhookEndpoint
from tests.bookkeeping import require_true_books
from tests.conftest import RecordedSignals
from tests.factories.payments import books, make_shop, read
from tests.factories.telling import CREDITED, DECLINED, NOTHING, PAID, PARKED, told_of
from tests.factories.waiting import NOW, SHORT_CODES, Waiting, by_verbs, confirm_by_verbs, left, waiting
from tests.racing import race, stand_still


def notices(signals: RecordedSignals) -> list[tuple[str, object]]:
    told = [notice for after in signals.after for notice in after.notices]
    return [(one.topic.split(":")[0], one.payload.get("status")) for one in told]


async def test_settling_and_matching_at_once_leave_the_rows_and_notices_of_the_verbs(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    slow, fast = [await waiting(tenant, code) for code in SHORT_CODES]
    signals.after.clear()
    await by_verbs(tenant, slow)
    told = notices(signals)
    await confirm_by_verbs(tenant, slow)
    signals.after.clear()

    assert await settle_at_once(tenant, fast.told, fast.callback, NOW)

    assert notices(signals) == told
    assert any(after.has_unsealed for after in signals.after)
    assert await match_at_once(tenant, fast.confirmed, told_of(fast.shop, fast.payment, paid_at=NOW), NOW)
    assert await left(tenant, fast) == await left(tenant, slow)
    assert await books(tenant, fast.shop) == await books(tenant, slow.shop) == CREDITED
    await require_true_books(tenant)


async def test_the_job_that_would_ask_is_ended_with_its_payment(tenant: Tenant) -> None:
    fast, slow = [await waiting(tenant, code) for code in SHORT_CODES]

    assert await settle_at_once(tenant, fast.told, fast.callback, NOW)
    await by_verbs(tenant, slow)

    async with tenant.reading() as session:
        jobs = [await session.get_one(TenantOutbox, one.payment.id) for one in (fast, slow)]
    assert [(job.kind, job.state) for job in jobs] == [("poll_payment", "done")] * 2
    assert jobs[0].finished_at == NOW


async def test_a_confirmation_that_comes_first_settles_at_once_and_the_callback_repeats_it(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    slow, fast = [await waiting(tenant, code) for code in SHORT_CODES]
    signals.after.clear()
    await confirm_by_verbs(tenant, slow)
    told = notices(signals)
    await by_verbs(tenant, slow)
    signals.after.clear()

    assert await match_at_once(tenant, fast.confirmed, told_of(fast.shop, fast.payment, paid_at=NOW), NOW)

    assert notices(signals) == told
    assert await settle_at_once(tenant, fast.told, fast.callback, NOW)
    assert await left(tenant, fast) == await left(tenant, slow)
    assert await books(tenant, fast.shop) == CREDITED
    await require_true_books(tenant)


async def test_told_again_nothing_is_left_to_do_at_once(tenant: Tenant) -> None:
    one = await waiting(tenant)
    new = told_of(one.shop, one.payment)
    assert await settle_at_once(tenant, one.told, one.callback, NOW)
    assert await match_at_once(tenant, one.confirmed, new, NOW)

    assert not await settle_at_once(tenant, one.told, one.callback, NOW)
    assert not await match_at_once(tenant, one.confirmed, new, NOW)

    assert await books(tenant, one.shop) == CREDITED


Objection = Callable[[Waiting], Update | WebhookEndpoint | Confirmation]


def on_payment(**changes: object) -> Objection:
    return lambda one: update(Payment).where(Payment.id == one.payment.id).values(changes)


def on_message(**changes: object) -> Objection:
    return lambda one: update(TenantInbox).where(TenantInbox.id == one.told).values(changes)


def closed(one: Waiting) -> Update:
    return (
        update(LedgerAccount).where(LedgerAccount.store_id == one.shop.store_id).values(closed_at=utc_now())
    )


def endpoint(_one: Waiting) -> WebhookEndpoint:
    return WebhookEndpoint(url="https://shop.example.com", description="", events=[], secret="")


def suspended(one: Waiting) -> Confirmation:
    told = told_of(one.shop)
    return Confirmation(
        channel_id=one.shop.channel_id,
        environment="sandbox",
        short_code=told.short_code,
        receipt=told.receipt,
        amount_minor=told.amount.minor,
        currency=told.amount.currency,
        account="",
        payer="",
        paid_at=NOW,
        state="suspense",
    )


OBJECTIONS: Final[dict[str, Objection]] = {
    "under way": on_payment(status="submitting"),
    "ended": on_payment(status="failed"),
    "known by another id": on_payment(provider_reference="ws_CO_0"),
    "of an order": on_payment(order_reference="INV1042"),
    "in review": on_payment(needs_review=True),
    "of another amount": on_payment(amount_minor=1),
    "processed": on_message(state="processed"),
    "its store's account is closed": closed,
    "told by a confirmation": suspended,
    "told to the tenant's systems": endpoint,
}


@pytest.mark.parametrize("objection", OBJECTIONS.values(), ids=OBJECTIONS.keys())
async def test_the_unusual_is_left_to_the_verbs_and_nothing_is_written(
    tenant: Tenant, objection: Objection
) -> None:
    one = await waiting(tenant)
    change = objection(one)
    async with tenant.transaction() as session:
        if isinstance(change, Update):
            await session.execute(change)
        else:
            session.add(change)
    before = await left(tenant, one)

    assert not await settle_at_once(tenant, one.told, one.callback, NOW)

    assert await left(tenant, one) == before
    assert await books(tenant, one.shop) == NOTHING


async def test_only_this_callback_of_this_channel_is_settled_at_once(tenant: Tenant) -> None:
    one = await waiting(tenant)
    for callback in (
        replace(one.callback, told=DECLINED),
        replace(one.callback, told=replace(PAID, receipt=None)),
        replace(one.callback, channel_id=new_id()),
        replace(one.callback, item_hash=b"nobody's"),
    ):
        assert not await settle_at_once(tenant, one.told, callback, NOW)


async def test_a_confirmation_that_does_not_repeat_its_callback_is_not_matched_at_once(
    tenant: Tenant,
) -> None:
    one = await waiting(tenant)
    new = told_of(one.shop, one.payment)
    others = [
        replace(new, amount=Money(1, Currency.KES)),
        replace(new, short_code="999999"),
        replace(new, receipt="TKX0000002"),
        replace(new, receipt="TKX0000002", account=""),
    ]
    for other in (*others[:2], others[3], replace(new, account="another")):
        assert not await match_at_once(tenant, one.confirmed, other, NOW)
    assert await books(tenant, one.shop) == NOTHING

    await by_verbs(tenant, one)

    for other in others:
        assert not await match_at_once(tenant, one.confirmed, other, NOW)
    assert await books(tenant, one.shop) == CREDITED


async def test_what_may_be_another_channels_money_is_left_to_the_verbs(tenant: Tenant) -> None:
    one = await waiting(tenant)
    till = await make_shop(tenant, kind=ChannelKind.TILL, short_code="5100001", head_office_code="174379")
    new = told_of(one.shop, one.payment)

    assert not await match_at_once(tenant, one.confirmed, new, NOW)
    async with tenant.transaction() as session:
        await settle_by_confirmation(session, told_of(till, short_code="174379", payer="2547 ***** 009"), NOW)
    assert not await settle_at_once(tenant, one.told, one.callback, NOW)

    await by_verbs(tenant, one)
    assert not await match_at_once(tenant, one.confirmed, new, NOW)
    assert await books(tenant, one.shop) == CREDITED
    assert await books(tenant, till) == NOTHING


async def test_callback_confirmation_and_their_repeats_at_the_same_moment_credit_once(
    tenant: Tenant,
) -> None:
    one = await waiting(tenant)

    def calling() -> Awaitable[object]:
        return settle_at_once(tenant, one.told, one.callback, NOW)

    def confirming() -> Awaitable[object]:
        return match_at_once(tenant, one.confirmed, told_of(one.shop, one.payment), NOW)

    barrier = select(Payment).where(Payment.id == one.payment.id).with_for_update()
    assert await race(tenant, barrier, [calling, confirming]) == [True, True]

    after = await read(tenant, one.payment.id)
    assert (after.status, after.receipt) == ("succeeded", "TKX0000001")
    assert await books(tenant, one.shop) == CREDITED
    await require_true_books(tenant)


async def test_money_that_is_suspended_at_this_moment_is_not_credited_twice(tenant: Tenant) -> None:
    one = await waiting(tenant)

    async with tenant.transaction() as suspending:
        # Its account fits nobody, so only its receipt says that it is the same money.
        await settle_by_confirmation(suspending, told_of(one.shop, account="NOBODY"), NOW)
        calling = asyncio.ensure_future(settle_at_once(tenant, one.told, one.callback, NOW))
        await stand_still(tenant, calling)

    assert not await calling
    assert await books(tenant, one.shop) == PARKED
    await require_true_books(tenant)


def test_the_statement_takes_a_step_of_the_machine() -> None:
    assert PaymentStatus.SUCCEEDED in NEXT[PaymentStatus.PENDING]
