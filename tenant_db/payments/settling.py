"""Settles an M-Pesa payment by the callback that came to its own address."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select, update

from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.channels.sharing import codes_sharing
from tenant_db.payments.answering import (
    Settled,
    Verdict,
    carry_out,
    learn_receipt,
    settle_by_answer,
    standing_of,
)
from tenant_db.payments.ending import end_unpaid, succeed
from tenant_db.payments.judging import Ruling, Statement, judge
from tenant_db.payments.locking import lock_money, lock_payment, lock_receipt
from tenant_db.payments.machine import CREATED, UNKNOWN
from tenant_db.payments.models import Confirmation, Payment
from tenant_db.payments.reviewing import flag
from tenant_db.payments.rules import Cause, ConfirmationState, NotPaid, Paid, Told

__all__ = ["Callback", "Settled", "Verdict", "learn_receipt", "settle_by_answer", "settle_by_callback"]


@dataclass(frozen=True, slots=True)
class Callback:
    """What a provider sent to the URL of one payment."""

    channel_id: UUID
    """Of the endpoint it came to."""
    item_hash: bytes
    """SHA-256 of the URL's secret part."""
    provider_reference: str
    told: Told


async def settle_by_callback(
    session: TenantSession, callback: Callback, now: datetime, answer: Told | None = None
) -> Settled:
    """Rule on a callback under the locks of its receipt and of its payment, and carry the ruling out.

    `answer` is what the provider said about the callback's id, on the second pass after Verdict.ASK. Where
    it alone says "paid", nobody tells a receipt: the money's lock is held, and the answer is ruled on.
    Whoever comes first settles; running it again changes nothing.
    """
    place = await _place(session, callback.item_hash)
    if place is None:
        return Settled(Verdict.QUARANTINED, note="no payment has this address")
    receipt = callback.told.receipt if isinstance(callback.told, Paid) else None
    if receipt is not None:
        await lock_receipt(session, place.environment, receipt)
    elif isinstance(answer, Paid):
        await lock_money(session, place.environment, place.amount)
    payment = await lock_payment(session, place.id)
    if payment.channel_id != callback.channel_id:
        return Settled(Verdict.QUARANTINED, payment.id, payment.channel_id, "another channel's endpoint")
    statement = Statement(
        callback.provider_reference, callback.told, await _is_claimed(session, payment, callback), answer
    )
    ruling = judge(standing_of(payment), statement)
    return await _carry_out(session, payment, statement, ruling, now)


async def _carry_out(
    session: TenantSession, payment: Payment, said: Statement, ruling: Ruling, now: datetime
) -> Settled:
    told = said.told
    if ruling in (Ruling.SUCCEED, Ruling.END_UNPAID):
        _adopt(payment, said)
    if ruling is Ruling.SUCCEED and isinstance(told, Paid):
        await succeed(session, payment, told.receipt, Cause.CALLBACK, now)
    elif ruling is Ruling.SUCCEED and said.answer is not None:
        # It is a query's word, so people may have credited this money before.
        return await carry_out(session, payment, said.answer, Cause.QUERY, now)
    elif ruling is Ruling.END_UNPAID and isinstance(told, NotPaid):
        end_unpaid(session, payment, told, Cause.CALLBACK, now)
    elif ruling is Ruling.LEARN_RECEIPT and isinstance(told, Paid) and told.receipt is not None:
        await learn_receipt(session, payment, told.receipt, Cause.CALLBACK)
    else:
        if ruling is Ruling.REVIEW:
            await _remember_credited(session, payment, told)
        return _set_aside(session, payment, ruling)
    return Settled(Verdict.SETTLED, payment.id, payment.channel_id)


def _set_aside(session: TenantSession, payment: Payment, ruling: Ruling) -> Settled:
    kept = {Ruling.WAIT: Verdict.WAIT, Ruling.ASK: Verdict.ASK, Ruling.NOTHING: Verdict.UNCHANGED}
    if ruling in kept:
        return Settled(kept[ruling], payment.id, payment.channel_id)
    if ruling is Ruling.REVIEW:
        note = "A callback contradicts what is settled or already known."
        flag(session, payment, note, Cause.CALLBACK)
        return Settled(Verdict.QUARANTINED, payment.id, payment.channel_id, note)
    note = "A callback fits the address of this payment, but not its id or amount."
    if payment.provider_reference is None:
        # Nobody can be asked without an id, so a person must look.
        flag(session, payment, note, Cause.CALLBACK)
    return Settled(
        Verdict.QUARANTINED, payment.id, payment.channel_id, note, payment.provider_reference is not None
    )


def _adopt(payment: Payment, said: Statement) -> None:
    """Keep the callback's id where the answer that should have told it was lost."""
    if payment.provider_reference is None and payment.state in (CREATED, UNKNOWN):
        payment.provider_reference = said.provider_reference


async def _place(session: TenantSession, item_hash: bytes) -> "_Place | None":
    rows = await session.execute(
        select(Payment.id, Payment.environment, Payment.amount_minor, Payment.currency).where(
            Payment.item_hash == item_hash
        )
    )
    found = rows.one_or_none()
    if found is None:
        return None
    return _Place(found.id, found.environment, Money(found.amount_minor, found.currency))


class _Place(NamedTuple):
    id: UUID
    environment: str
    amount: Money


async def _is_claimed(session: TenantSession, payment: Payment, callback: Callback) -> bool:
    """Whether something of the callback is spoken for: its receipt, or its id.

    It is another payment's, or people have put its money where it belongs.
    """
    told = callback.told
    ours = (Payment.channel_id == payment.channel_id, Payment.id != payment.id)
    claims = [exists().where(*ours, Payment.provider_reference == callback.provider_reference)]
    if isinstance(told, Paid) and told.receipt is not None:
        claims.append(
            exists().where(
                Payment.environment == payment.environment,
                Payment.short_code.in_(codes_sharing(payment.channel_id)),
                Payment.receipt == told.receipt,
                Payment.id != payment.id,
            )
        )
        claims.append(
            exists().where(
                _is_told(payment, told.receipt),
                or_(
                    Confirmation.payment_id != payment.id,
                    Confirmation.amount_minor != payment.amount_minor,
                    Confirmation.state == ConfirmationState.RESOLVED,
                ),
            )
        )
    return bool(await session.scalar(select(or_(*claims))))


async def _remember_credited(session: TenantSession, payment: Payment, told: Told) -> None:
    """Write down whose money people have credited, so that the provider's answer does not credit it again."""
    if not isinstance(told, Paid) or told.receipt is None or payment.receipt is not None:
        return
    await session.execute(
        update(Confirmation)
        .where(
            _is_told(payment, told.receipt),
            Confirmation.state == ConfirmationState.RESOLVED,
            Confirmation.payment_id.is_(None),
        )
        .values(payment_id=payment.id)
    )


def _is_told(payment: Payment, receipt: str) -> ColumnElement[bool]:
    return and_(
        Confirmation.environment == payment.environment,
        Confirmation.short_code.in_(codes_sharing(payment.channel_id)),
        Confirmation.receipt == receipt,
    )
