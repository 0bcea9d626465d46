"""What decisions of people do. The subject's locks are held, and the review is closed already."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select

from core.errors import InvalidInput, NotFound
from core.ids import Kind, outside
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.channels.sharing import codes_sharing
from tenant_db.ledger.accounts import Holding, available, open_accounts, suspense
from tenant_db.ledger.models import Transfer
from tenant_db.ledger.posting import NewTransfer, post
from tenant_db.ledger.rules import TransferKind
from tenant_db.payments.answering import learn_receipt
from tenant_db.payments.counting import paid_in_its_place, whose_it_may_be
from tenant_db.payments.crediting import place_of
from tenant_db.payments.ending import end_unpaid, succeed
from tenant_db.payments.machine import PENDING, SUBMITTING, SUCCEEDED, UNKNOWN
from tenant_db.payments.models import Confirmation, Payment
from tenant_db.payments.rules import Cause, ConfirmationState, FailureReason, NotPaid
from tenant_db.payments.stepping import remark
from tenant_db.refunds.excess import release_excess, waiting_excess
from tenant_db.refunds.locking import lock_refund
from tenant_db.refunds.machine import RefundStatus
from tenant_db.refunds.requesting import NewRefund, request_refund
from tenant_db.refunds.rules import Done, NotDone, RefundCause, RefundOrigin
from tenant_db.refunds.settling import settle_locked
from tenant_db.reviews.commands import Decided
from tenant_db.reviews.errors import DecisionNotPossible, MoneyMayBeAnothers, ReceiptTaken
from tenant_db.reviews.models import Review
from tenant_db.reviews.rules import receipt_as_told
from tenant_db.stores.models import Store

QUEUE: Final = "payments"
SUBMIT_REFUND: Final = "submit_refund"
NOT_PAID: Final = "A person has found that it was not paid."
NOT_REFUNDED: Final = "A person has found that the money was not given back."


async def mark_paid(
    session: TenantSession, review: Review, decided: Decided, now: datetime
) -> Mapping[str, str]:
    """Settle a payment on the proof that a person has seen; its store is credited.

    One that a query had settled gets its receipt, so that nobody takes its money for another's.
    """
    payment = await _payment(session, review)
    receipt = receipt_as_told(payment.provider, decided.proof or "")
    lacks_receipt = payment.channel_id is not None and payment.receipt is None
    if payment.state is SUCCEEDED and not lacks_receipt:
        raise DecisionNotPossible(decided.decision.value, "the payment has succeeded.")
    if payment.state is SUBMITTING:
        raise DecisionNotPossible(decided.decision.value, "it is being sent at this moment.")
    told = await _guarded(session, payment, receipt, decided)
    if payment.state is SUCCEEDED:
        await learn_receipt(session, payment, receipt, Cause.REVIEW)
    else:
        await _guard_rivals(session, payment, told, now)
        await succeed(session, payment, receipt, Cause.REVIEW, now)
    _seen(session, payment, decided)
    return {"payment": outside(Kind.PAYMENT, payment.id)}


async def mark_not_paid(
    session: TenantSession, review: Review, decided: Decided, now: datetime
) -> Mapping[str, str]:
    """End an open payment. Money that comes later still counts."""
    payment = await _payment(session, review)
    if payment.state not in (UNKNOWN, PENDING):
        raise DecisionNotPossible(decided.decision.value, f"the payment is {payment.status}.")
    end_unpaid(session, payment, NotPaid(FailureReason.DECLINED, "", NOT_PAID), Cause.REVIEW, now)
    _seen(session, payment, decided)
    return {"payment": outside(Kind.PAYMENT, payment.id)}


async def refund_payment(
    session: TenantSession, review: Review, decided: Decided, now: datetime
) -> Mapping[str, str]:
    """Give the payment back, or a part of it; what was paid beyond its amount, where that waits."""
    payment = await _payment(session, review)
    amount = decided.amount or await waiting_excess(session, payment)
    new = NewRefund(payment.id, amount, decided.reason[:200], decided.by, RefundOrigin.REVIEW)
    refund = await request_refund(session, new, decided.offer, now)
    announce(session, SUBMIT_REFUND, queue=QUEUE, refund_id=str(refund.id))
    _seen(session, payment, decided)
    return {"refund": outside(Kind.REFUND, refund.id)}


async def credit_payment(
    session: TenantSession, review: Review, decided: Decided, _now: datetime
) -> Mapping[str, str]:
    """Move a paid payment's money from suspense, where it or a part was set aside, to its store."""
    payment = await _payment(session, review)
    if decided.store_id not in (None, payment.store_id):
        raise DecisionNotPossible(decided.decision.value, "the payment is another store's.")
    keys = (f"sale:{payment.id}", f"sale-aside:{payment.id}")
    found = await session.scalars(select(Transfer.idempotency_key).where(Transfer.idempotency_key.in_(keys)))
    credited = set(found.all())
    moved_id = await release_excess(session, payment) if keys[0] in credited else None
    if moved_id is None and credited != {keys[1]}:
        raise DecisionNotPossible(decided.decision.value, "its money is not in suspense.")
    if moved_id is None:
        moved_id = await _credit_aside(session, review, payment, keys[0])
    _seen(session, payment, decided)
    return {"transfer": outside(Kind.TRANSFER, moved_id)}


async def _credit_aside(session: TenantSession, review: Review, payment: Payment, key: str) -> UUID:
    place = place_of(payment)
    waiting, store = await open_accounts(
        session,
        suspense(place, payment.currency),
        available(payment.store_id, place, payment.currency),
        spread=payment.id,
    )
    sale = NewTransfer(
        source_id=waiting,
        destination_id=store,
        amount=payment.due,
        kind=TransferKind.SALE,
        reference=outside(Kind.PAYMENT, payment.id),
        idempotency_key=key,
        details={"review": outside(Kind.REVIEW, review.id)},
    )
    return (await post(session, sale)).id


async def mark_refunded(
    session: TenantSession, review: Review, decided: Decided, now: datetime
) -> Mapping[str, str]:
    """Book a refund on the proof that a person has seen."""
    locked = await lock_refund(session, _id(review.refund_id))
    refund = locked.refund
    if refund.state in (RefundStatus.SUCCEEDED, RefundStatus.REVERSED):
        raise DecisionNotPossible(decided.decision.value, f"the refund is {refund.status}.")
    reference = refund.provider_reference or (decided.proof or "").strip()
    await settle_locked(session, locked, Done(reference, refund.amount), RefundCause.REVIEW, now)
    return {"refund": outside(Kind.REFUND, refund.id)}


async def mark_not_refunded(
    session: TenantSession, review: Review, decided: Decided, now: datetime
) -> Mapping[str, str]:
    """Free a refund's money, or bring it back where it was booked."""
    locked = await lock_refund(session, _id(review.refund_id))
    refund = locked.refund
    if refund.state in (RefundStatus.SUBMITTING, RefundStatus.FAILED, RefundStatus.REVERSED):
        raise DecisionNotPossible(decided.decision.value, f"the refund is {refund.status}.")
    await settle_locked(session, locked, NotDone("decided", NOT_REFUNDED), RefundCause.REVIEW, now)
    return {"refund": outside(Kind.REFUND, refund.id)}


async def credit_confirmation(
    session: TenantSession, review: Review, decided: Decided, now: datetime
) -> Mapping[str, str]:
    """Move money that fits no payment from suspense to a store."""
    row = await session.get_one(Confirmation, _id(review.confirmation_id))
    if row.state != ConfirmationState.SUSPENSE:
        raise DecisionNotPossible(decided.decision.value, "the money is not in suspense any more.")
    if decided.store_id is None:
        raise InvalidInput("storeId", "Say whose balance grows.")
    if await session.get(Store, decided.store_id) is None:
        raise NotFound("store")
    _refuse_anothers(await whose_it_may_be(session, row, now))
    place = Holding.of_channel(row.channel_id)
    name = f"{row.environment}:{row.short_code}:{row.receipt}"
    waiting, store = await open_accounts(
        session,
        suspense(place, row.currency),
        available(decided.store_id, place, row.currency),
        spread=name,
    )
    credit = NewTransfer(
        source_id=waiting,
        destination_id=store,
        amount=row.amount,
        kind=TransferKind.ADJUSTMENT,
        reference=row.receipt,
        idempotency_key=f"suspense-credited:{name}",
        details={"review": outside(Kind.REVIEW, review.id)},
    )
    posted = await post(session, credit)
    row.state = ConfirmationState.RESOLVED.value
    row.note = decided.reason
    return {"transfer": outside(Kind.TRANSFER, posted.id)}


async def _guarded(
    session: TenantSession, payment: Payment, receipt: str, decided: Decided
) -> Confirmation | None:
    """The receipt must be free, and what the provider told of it must be this payment's money."""
    owner = await session.scalar(
        select(Payment.id).where(_same_place(payment), _names(receipt), Payment.id != payment.id)
    )
    if owner is not None:
        raise ReceiptTaken(outside(Kind.PAYMENT, owner))
    told = await session.scalar(
        select(Confirmation).where(
            Confirmation.environment == payment.environment,
            Confirmation.short_code.in_(codes_sharing(payment.channel_id)),
            Confirmation.receipt == receipt,
        )
    )
    if told is None:
        return None
    if told.state == ConfirmationState.RESOLVED:
        raise DecisionNotPossible(decided.decision.value, "this money was credited before.")
    if told.amount != payment.amount:
        raise DecisionNotPossible(decided.decision.value, f"{receipt} brought {told.amount}.")
    return told


async def _guard_rivals(
    session: TenantSession, payment: Payment, told: Confirmation | None, now: datetime
) -> None:
    """It must not be the money of another payment, of which a query says only that it was paid."""
    if payment.channel_id is None:
        return
    if told is None:
        _refuse_anothers(await paid_in_its_place(session, payment, now))
    elif told.account.strip().upper() != payment.reference:
        _refuse_anothers(await whose_it_may_be(session, told, now, but=payment.id))


def _refuse_anothers(payment_id: UUID | None) -> None:
    if payment_id is not None:
        raise MoneyMayBeAnothers(outside(Kind.PAYMENT, payment_id))


def _names(proof: str) -> ColumnElement[bool]:
    """People may have copied any id that the provider shows of a payment."""
    ids = (Payment.receipt, Payment.provider_reference, Payment.request_reference)
    return or_(*(column == proof for column in ids))


def _same_place(payment: Payment) -> ColumnElement[bool]:
    """Where a receipt names one payment."""
    if payment.short_code is None:
        return Payment.provider_account_id == payment.provider_account_id
    codes = codes_sharing(payment.channel_id)
    return and_(Payment.environment == payment.environment, Payment.short_code.in_(codes))


def _seen(session: TenantSession, payment: Payment, decided: Decided) -> None:
    """A person has looked: what comes up from now on is new."""
    payment.needs_review = False
    payment.review_note = None
    remark(session, payment, Cause.REVIEW, decision=decided.decision.value)


async def _payment(session: TenantSession, review: Review) -> Payment:
    return await session.get_one(Payment, _id(review.payment_id))


def _id(id: UUID | None) -> UUID:
    if id is None:
        raise ValueError("a review is about one thing")
    return id
