"""Payments on provider accounts: what is told is ruled on once, whoever tells it, in any order."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256

import pytest
from sqlalchemy import select

from core.clock import utc_now
from core.collecting import ActionKind, CaptureMode, Method, NextAction
from core.currency import Currency
from core.errors import DomainError, InvalidInput, NotFound
from core.ids import Kind, new_id, outside
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.credentials.models import ProviderAccount
from tenant_db.ledger.models import Transfer
from tenant_db.payments import submitting
from tenant_db.payments.answering import Settled, Verdict, settle_by_answer
from tenant_db.payments.capturing import request_capture
from tenant_db.payments.errors import (
    AccountNotEnabled,
    CaptureTooMuch,
    MethodNotOffered,
    NotWaiting,
    WrongCurrency,
)
from tenant_db.payments.hearing import Heard, settle_by_webhook
from tenant_db.payments.initiating import NewPayment, initiate_payment
from tenant_db.payments.machine import PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import (
    Answer,
    Authorized,
    FailureReason,
    Mismatch,
    NotPaid,
    Paid,
    StillPending,
)
from tenant_db.stores.models import Store
from tests.factories.collecting import Stand, bill, takings
from tests.factories.ledger import require_sound_books
from tests.factories.payments import read
from tests.racing import race

AMOUNT = Money(150_000, Currency.KES)
FEE = Money(4_350, Currency.KES)
PAID = Paid(AMOUNT, "ch_1", FEE)
UNPAID = NotPaid(FailureReason.DECLINED, "card_declined", "The card was declined.")
SHOWN = NextAction(ActionKind.REDIRECT, "Open the page.", "https://pay.example.com/1")


async def make_stand(tenant: Tenant) -> Stand:
    store = Store(id=new_id(), name="Mama Njeri", code=new_id().hex, time_zone="Africa/Nairobi")
    account = ProviderAccount(
        id=new_id(),
        provider="stripe",
        name="Stripe",
        environment="sandbox",
        currencies=["KES", "USD"],
        configuration={},
    )
    async with tenant.transaction() as session:
        session.add_all([store, account])
    return Stand("stripe", store.id, account.id, "", "", "")


@pytest.fixture
async def stand(tenant: Tenant) -> Stand:
    return await make_stand(tenant)


async def begun(tenant: Tenant, new: NewPayment) -> Payment:
    async with tenant.transaction() as session:
        return await initiate_payment(session, new, utc_now())


async def sent(tenant: Tenant, stand: Stand, *, capture: CaptureMode = CaptureMode.AUTOMATIC) -> Payment:
    """A payment that the provider has taken, whose payer has something to do."""
    payment = await begun(tenant, bill(stand))
    async with tenant.transaction() as session:
        row = await session.get_one(Payment, payment.id)
        row.capture_mode = capture.value
    async with tenant.transaction() as session:
        await submitting.claim(session, payment.id, sha256(payment.id.bytes).digest(), utc_now())
    async with tenant.transaction() as session:
        ids = f"pi_{payment.id.hex}", None
        await submitting.accept(session, payment.id, ids, StillPending(SHOWN), utc_now())
    return await read(tenant, payment.id)


async def answer(tenant: Tenant, payment: Payment, told: Answer) -> Settled:
    async with tenant.transaction() as session:
        return await settle_by_answer(session, payment.id, told, utc_now())


async def hear(
    tenant: Tenant, payment: Payment, told: Answer | None, answered: Answer | None = None, **changes: object
) -> Settled:
    heard = Heard(payment.provider_account_id, payment.provider_reference, None, payment.id, told)
    async with tenant.transaction() as session:
        return await settle_by_webhook(session, replace(heard, **changes), utc_now(), answered)  # type: ignore[arg-type]  # checked when made


REFUSED: list[tuple[dict[str, object], type[DomainError]]] = [
    ({"provider_account_id": new_id()}, NotFound),
    ({"store_id": new_id()}, NotFound),
    ({"store_id": None}, InvalidInput),
    ({"amount": Money(100, Currency.NGN)}, WrongCurrency),
    ({"capture": CaptureMode.MANUAL}, MethodNotOffered),
    ({"method": Method.MOBILE_MONEY}, InvalidInput),
    ({"return_url": "http://shop.example.com/"}, InvalidInput),
    ({"return_url": "https://user@shop.example.com/"}, InvalidInput),
    ({"return_url": "javascript:alert(1)"}, InvalidInput),
]


async def test_what_an_account_can_not_collect_is_refused(tenant: Tenant, stand: Stand) -> None:
    for changes, refusal in REFUSED:
        with pytest.raises(refusal):
            await begun(tenant, replace(bill(stand), **changes))  # type: ignore[arg-type]  # checked when made


async def test_an_account_that_is_switched_off_collects_nothing(tenant: Tenant, stand: Stand) -> None:
    async with tenant.transaction() as session:
        (await session.get_one(ProviderAccount, stand.account_id)).is_enabled = False

    with pytest.raises(AccountNotEnabled):
        await begun(tenant, bill(stand))


async def test_query_webhook_and_duplicate_at_one_moment_credit_once(tenant: Tenant, stand: Stand) -> None:
    payment = await sent(tenant, stand)
    rivals: list[Callable[[], Awaitable[Settled]]] = [
        lambda: answer(tenant, payment, PAID),
        lambda: hear(tenant, payment, PAID),
        lambda: hear(tenant, payment, Paid(AMOUNT, "ch_1")),
    ]

    told = await race(tenant, select(Payment).where(Payment.id == payment.id).with_for_update(), rivals)

    assert {one.verdict for one in told if isinstance(one, Settled)} <= {Verdict.SETTLED, Verdict.UNCHANGED}
    paid = await read(tenant, payment.id)
    assert (paid.status, paid.receipt, paid.fee_minor, paid.needs_review) == (
        "succeeded",
        "ch_1",
        4_350,
        False,
    )
    books = await takings(tenant, stand)
    assert (books.store, books.holding) == (145_650, 145_650)
    await require_sound_books(tenant)


TOLD: list[tuple[list[Answer], str, bool, int]] = [
    ([PAID, PAID], "succeeded", False, 145_650),
    ([Paid(AMOUNT, "ch_1"), PAID], "succeeded", False, 145_650),
    ([Paid(AMOUNT), PAID], "succeeded", False, 145_650),
    ([Paid(AMOUNT, "ch_1", Money(34, Currency.USD))], "succeeded", True, 150_000),
    ([PAID, StillPending(SHOWN)], "succeeded", False, 145_650),
    ([PAID, UNPAID], "succeeded", True, 145_650),
    ([PAID, Paid(AMOUNT, "ch_2")], "succeeded", True, 145_650),
    ([UNPAID, UNPAID], "failed", False, 0),
    ([UNPAID, PAID], "succeeded", False, 145_650),
    ([UNPAID, Authorized(AMOUNT)], "failed", True, 0),
    ([StillPending(failed_attempt=UNPAID), PAID], "succeeded", False, 145_650),
    ([Paid(Money(150_001, Currency.KES), "ch_1")], "pending", True, 0),
    ([Paid(Money(60_000, Currency.KES), "ch_1")], "pending", True, 0),
    ([Paid(Money(150_000, Currency.USD), "ch_1")], "pending", True, 0),
    ([Mismatch("Stripe has another tenant's payment.")], "pending", True, 0),
    ([Authorized(AMOUNT), UNPAID], "failed", False, 0),
    ([Authorized(Money(1, Currency.KES))], "pending", True, 0),
]
"""What is told in turn; the payment's status then, whether people see it, and what its store has."""


async def test_what_is_told_leads_to_one_state_and_one_balance(tenant: Tenant) -> None:
    found = []
    for told, *_ in TOLD:
        stand = await make_stand(tenant)
        payment = await sent(tenant, stand)
        for one in told:
            await hear(tenant, payment, one)
        after = await read(tenant, payment.id)
        store_minor = (await takings(tenant, stand)).store
        found.append((told, after.status, after.needs_review, store_minor))

    assert found == TOLD
    await require_sound_books(tenant)


async def test_a_receipt_pays_one_payment_only(tenant: Tenant, stand: Stand) -> None:
    first, second = await sent(tenant, stand), await sent(tenant, stand)
    await answer(tenant, first, PAID)

    told = await answer(tenant, second, PAID)

    assert told.verdict is Verdict.QUARANTINED
    after = await read(tenant, second.id)
    assert (after.status, after.needs_review) == ("pending", True)


async def test_a_message_before_our_own_answer_waits(tenant: Tenant, stand: Stand) -> None:
    payment = await begun(tenant, bill(stand))
    async with tenant.transaction() as session:
        await submitting.claim(session, payment.id, sha256(payment.id.bytes).digest(), utc_now())

    told = await hear(tenant, payment, PAID, provider_reference="pi_1")

    assert told.verdict is Verdict.WAIT
    assert (await read(tenant, payment.id)).state is PaymentStatus.SUBMITTING


async def test_a_message_brings_the_id_whose_answer_was_lost(tenant: Tenant, stand: Stand) -> None:
    payment = await begun(tenant, bill(stand))
    async with tenant.transaction() as session:
        await submitting.claim(session, payment.id, sha256(payment.id.bytes).digest(), utc_now())
    async with tenant.transaction() as session:
        await submitting.doubt(session, payment.id, "no answer")

    await hear(tenant, payment, PAID, provider_reference="pi_1")

    after = await read(tenant, payment.id)
    assert (after.status, after.provider_reference) == ("succeeded", "pi_1")


async def test_money_told_under_another_name_is_shown_and_not_credited(tenant: Tenant, stand: Stand) -> None:
    first, second, third, other = [await sent(tenant, stand) for _ in range(4)]

    verdicts = [
        (await hear(tenant, first, PAID, provider_reference="pi_other")).verdict,
        (await hear(tenant, second, PAID, account_id=new_id())).verdict,
        (await hear(tenant, third, PAID, payment_id=other.id)).verdict,
    ]

    assert verdicts == [Verdict.QUARANTINED] * 3
    for payment in (first, second, third):
        after = await read(tenant, payment.id)
        assert (after.status, after.needs_review) == ("pending", True)


async def test_what_proves_nothing_is_asked_about_unless_it_is_settled(tenant: Tenant, stand: Stand) -> None:
    payment = await sent(tenant, stand)

    assert (await hear(tenant, payment, None)).verdict is Verdict.ASK
    assert (await hear(tenant, payment, None, PAID)).verdict is Verdict.SETTLED
    assert (await hear(tenant, payment, None)).verdict is Verdict.UNCHANGED


async def test_of_a_promise_a_part_may_be_taken_and_never_more(tenant: Tenant, stand: Stand) -> None:
    payment = await sent(tenant, stand, capture=CaptureMode.MANUAL)
    with pytest.raises(NotWaiting):
        await capture(tenant, payment, None)
    await answer(tenant, payment, Authorized(AMOUNT))
    with pytest.raises(CaptureTooMuch):
        await capture(tenant, payment, Money(150_001, Currency.KES))
    with pytest.raises(WrongCurrency):
        await capture(tenant, payment, Money(1, Currency.USD))
    await capture(tenant, payment, Money(60_000, Currency.KES))
    with pytest.raises(NotWaiting):
        await capture(tenant, payment, None)

    await answer(tenant, payment, Paid(Money(60_000, Currency.KES), "ch_1"))

    after = await read(tenant, payment.id)
    assert (after.status, after.due.minor, after.needs_review) == ("succeeded", 60_000, False)
    assert (await takings(tenant, stand)).store == 60_000


async def capture(tenant: Tenant, payment: Payment, amount: Money | None) -> None:
    async with tenant.transaction() as session:
        await request_capture(session, payment.id, amount)


async def test_what_is_paid_beyond_the_amount_waits_in_suspense_and_for_a_person(
    tenant: Tenant, stand: Stand
) -> None:
    payment = await sent(tenant, stand)
    told = replace(PAID, fee=None, excess=Money(500, Currency.KES))

    assert (await answer(tenant, payment, told)).verdict is Verdict.SETTLED
    assert (await answer(tenant, payment, told)).verdict is Verdict.UNCHANGED

    settled = await read(tenant, payment.id)
    assert (settled.state, settled.needs_review) == (PaymentStatus.SUCCEEDED, True)
    async with tenant.reading() as session:
        rows = await session.execute(
            select(Transfer.kind, Transfer.amount_minor).where(
                Transfer.reference == outside(Kind.PAYMENT, payment.id)
            )
        )
    assert sorted(rows.all()) == [("sale", AMOUNT.minor), ("transfer", 500)]
    await require_sound_books(tenant)
