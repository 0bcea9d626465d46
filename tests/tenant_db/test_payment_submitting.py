"""A payment is handed to its provider once, and is asked for until it has ended."""

from datetime import timedelta
from hashlib import sha256

import pytest

from core.clock import utc_now
from core.errors import NotFound
from core.ids import new_id
from tenancy.sessions import Tenant
from tenant_db.payments import polling, submitting
from tenant_db.payments.cancelling import cancel_payment
from tenant_db.payments.errors import PaymentAlreadySent
from tenant_db.payments.machine import ENDED, NEXT, PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import POLL_LADDER_S, Cause, FailureReason, NotPaid, Paid
from tests.factories.payments import (
    LATER,
    checkout_id,
    events_of,
    initiate,
    make_shop,
    pend,
    read,
    submit,
)
from tests.factories.telling import ask

REFUSED = NotPaid(FailureReason.CONFIGURATION, "400.002.02", "Bad request")


async def reclaim(tenant: Tenant, payment: Payment) -> submitting.Claim | PaymentStatus:
    async with tenant.transaction() as session:
        return await submitting.claim(session, payment.id, sha256(b"another").digest(), utc_now())


async def test_a_second_run_never_sends_again_and_says_that_nobody_knows(tenant: Tenant) -> None:
    payment = await initiate(tenant, await make_shop(tenant))
    await submit(tenant, payment)

    assert await reclaim(tenant, payment) is PaymentStatus.UNKNOWN
    assert await reclaim(tenant, payment) is PaymentStatus.UNKNOWN
    assert (await read(tenant, payment.id)).status == "unknown"


async def test_what_was_surely_not_sent_may_be_sent_again(tenant: Tenant) -> None:
    payment = await initiate(tenant, await make_shop(tenant))
    item = await submit(tenant, payment)

    async with tenant.transaction() as session:
        await submitting.release(session, payment.id, item, "no connection", utc_now())

    again = await reclaim(tenant, payment)
    assert isinstance(again, submitting.Claim)
    assert not again.is_first


async def test_what_could_not_be_sent_in_its_window_expires_without_a_prompt(tenant: Tenant) -> None:
    payment = await initiate(tenant, await make_shop(tenant), now=utc_now() - LATER)

    assert await reclaim(tenant, payment) is PaymentStatus.EXPIRED

    after = await read(tenant, payment.id)
    assert (after.status, after.failure_code) == ("expired", "not_sent")


async def test_nobody_is_asked_to_pay_for_an_order_that_was_paid_meanwhile(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    first, _ = await pend(tenant, shop, now=utc_now() - LATER, order_reference="INV1042")
    second = await initiate(tenant, shop, order_reference="INV1042")
    await ask(tenant, first, Paid())

    assert await reclaim(tenant, second) is PaymentStatus.FAILED

    after = await read(tenant, second.id)
    assert (after.failure_code, after.submitted_at, after.needs_review) == ("not_sent", None, False)


async def test_a_refusal_to_prompt_is_final(tenant: Tenant) -> None:
    payment = await initiate(tenant, await make_shop(tenant))
    await submit(tenant, payment)

    async with tenant.transaction() as session:
        await submitting.reject(session, payment.id, REFUSED, utc_now())

    after = await read(tenant, payment.id)
    assert (after.status, after.failure_code) == ("failed", "configuration")


async def test_the_answer_of_a_run_that_was_called_cut_off_still_counts(tenant: Tenant) -> None:
    payment = await initiate(tenant, await make_shop(tenant))
    await submit(tenant, payment)
    await reclaim(tenant, payment)

    async with tenant.transaction() as session:
        await submitting.confirm(session, payment.id, checkout_id(payment), None)

    assert (await read(tenant, payment.id)).status == "pending"


async def test_an_id_of_another_payment_is_not_taken_over(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    first, _ = await pend(tenant, shop)
    second = await initiate(tenant, shop)
    await submit(tenant, second)

    async with tenant.transaction() as session:
        await submitting.confirm(session, second.id, checkout_id(first), None)

    after = await read(tenant, second.id)
    assert (after.status, after.provider_reference, after.needs_review) == ("unknown", None, True)


async def take(tenant: Tenant, payment: Payment, after: timedelta) -> polling.Rung:
    async with tenant.transaction() as session:
        return await polling.take_rung(session, payment.id, utc_now() + after, POLL_LADDER_S)


async def test_an_open_payment_is_asked_for_on_its_ladder(tenant: Tenant) -> None:
    payment, _ = await pend(tenant, await make_shop(tenant))
    submitted_at = payment.submitted_at
    assert submitted_at is not None

    first = await take(tenant, payment, timedelta(seconds=10))
    later = await take(tenant, payment, timedelta(seconds=100))

    assert first.question == polling.Question(
        payment.id,
        payment.provider_account_id,
        checkout_id(payment),
        payment.request_reference,
        payment.amount,
    )
    assert first.next_at == submitted_at + timedelta(seconds=20)
    assert later.next_at == submitted_at + timedelta(seconds=300)


async def test_a_payment_open_for_a_day_is_shown_to_a_person_and_asked_for_until_day_five(
    tenant: Tenant,
) -> None:
    payment, _ = await pend(tenant, await make_shop(tenant))

    await take(tenant, payment, timedelta(hours=23))
    assert not (await read(tenant, payment.id)).needs_review
    fourth = await take(tenant, payment, timedelta(days=4))
    fifth = await take(tenant, payment, timedelta(days=5))

    after = await read(tenant, payment.id)
    assert (after.status, after.needs_review) == ("pending", True)
    assert fourth.next_at is not None
    assert fifth.next_at is None
    assert sum("review" in event.details for event in await events_of(tenant, payment.id)) == 1


async def test_a_ladder_that_ends_early_still_brings_the_payment_before_a_person(tenant: Tenant) -> None:
    payment, _ = await pend(tenant, await make_shop(tenant))
    assert payment.submitted_at is not None

    async with tenant.transaction() as session:
        last = await polling.take_rung(session, payment.id, utc_now() + timedelta(hours=1), (10, 20))
    async with tenant.transaction() as session:
        over = await polling.take_rung(session, payment.id, utc_now() + timedelta(days=1), (10, 20))

    assert last.next_at == payment.submitted_at + timedelta(days=1)
    assert over.next_at is None
    assert (await read(tenant, payment.id)).needs_review


async def test_an_unknown_without_an_id_only_waits(tenant: Tenant) -> None:
    payment = await initiate(tenant, await make_shop(tenant))
    await submit(tenant, payment)
    async with tenant.transaction() as session:
        await submitting.doubt(session, payment.id, "no answer")

    rung = await take(tenant, payment, timedelta(seconds=10))

    assert rung.question is None
    assert rung.next_at is not None


async def test_a_payment_whose_run_was_lost_becomes_unknown(tenant: Tenant) -> None:
    payment = await initiate(tenant, await make_shop(tenant))
    await submit(tenant, payment)

    await take(tenant, payment, timedelta(seconds=10))
    assert (await read(tenant, payment.id)).status == "submitting"
    await take(tenant, payment, timedelta(minutes=3))
    assert (await read(tenant, payment.id)).status == "unknown"


async def test_a_payment_that_nobody_sends_any_more_expires(tenant: Tenant) -> None:
    payment = await initiate(tenant, await make_shop(tenant))

    waiting = await take(tenant, payment, timedelta(seconds=10))
    over = await take(tenant, payment, LATER)

    assert waiting.next_at is not None
    assert over == polling.Rung(None, None)
    assert (await read(tenant, payment.id)).status == "expired"


@pytest.mark.parametrize("status", sorted(PaymentStatus))
async def test_a_step_outside_the_machine_is_a_bug(status: PaymentStatus) -> None:
    for to in set(PaymentStatus) - NEXT[status]:
        payment = Payment(status=status.value, version=1)
        with pytest.raises(ValueError, match="never goes"):
            payment.advance(to, Cause.JOB, {})


def test_an_end_is_left_only_for_late_money() -> None:
    assert {to for status in ENDED for to in NEXT[status]} == {PaymentStatus.SUCCEEDED}


async def test_a_run_that_was_called_cut_off_and_had_sent_nothing_ends_the_payment(tenant: Tenant) -> None:
    payment = await initiate(tenant, await make_shop(tenant))
    item = await submit(tenant, payment)
    await reclaim(tenant, payment)

    async with tenant.transaction() as session:
        state = await submitting.release(session, payment.id, item, "no connection", utc_now())

    assert state is PaymentStatus.FAILED
    assert (await read(tenant, payment.id)).failure_code == "not_sent"


async def test_a_payment_that_can_not_be_sent_at_all_fails(tenant: Tenant) -> None:
    payment = await initiate(tenant, await make_shop(tenant))

    for _ in range(2):
        async with tenant.transaction() as session:
            assert await submitting.refuse(session, payment.id, REFUSED, utc_now()) is PaymentStatus.FAILED

    assert [event.to_status for event in await events_of(tenant, payment.id)] == ["created", "failed"]


async def test_only_what_was_not_sent_yet_is_taken_back(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    waiting, sent = await initiate(tenant, shop), await initiate(tenant, shop)
    await submit(tenant, sent)

    for _ in range(2):
        async with tenant.transaction() as session:
            assert (await cancel_payment(session, waiting.id, utc_now())).status == "cancelled"
    async with tenant.transaction() as session:
        with pytest.raises(PaymentAlreadySent):
            await cancel_payment(session, sent.id, utc_now())
        with pytest.raises(NotFound):
            await cancel_payment(session, new_id(), utc_now())

    assert len(await events_of(tenant, waiting.id)) == 2
