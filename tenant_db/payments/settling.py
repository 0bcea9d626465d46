"""Settles a payment by what its provider says: a callback, or the answer to a question."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import exists, or_, select

from tenancy.sessions import TenantSession
from tenant_db.payments.crediting import clear_suspense
from tenant_db.payments.ending import end_unpaid, succeed
from tenant_db.payments.judging import Ruling, Standing, Statement, judge, judge_answer
from tenant_db.payments.locking import lock_payment, lock_receipt
from tenant_db.payments.machine import CREATED, UNKNOWN
from tenant_db.payments.models import Confirmation, Payment
from tenant_db.payments.reviewing import flag
from tenant_db.payments.rules import Cause, NotPaid, Paid, Told
from tenant_db.payments.stepping import remark


class Verdict(StrEnum):
    """What became of something a provider told."""

    SETTLED = "settled"
    UNCHANGED = "unchanged"
    """Told before, or settled meanwhile."""
    WAIT = "wait"
    """Try it again in a moment: our own request is still being answered."""
    ASK = "ask"
    """Ask the provider about the id that was told, and come back with the answer."""
    QUARANTINED = "quarantined"
    """Nothing of it counts."""


@dataclass(frozen=True, slots=True)
class Callback:
    """What a provider sent to the URL of one payment."""

    channel_id: UUID
    """Of the endpoint it came to."""
    item_hash: bytes
    """SHA-256 of the URL's secret part."""
    provider_reference: str
    told: Told


@dataclass(frozen=True, slots=True)
class Settled:
    """The verdict, and the payment it is about, where there is one."""

    verdict: Verdict
    payment_id: UUID | None = None
    channel_id: UUID | None = None
    note: str = ""
    """Why it was set aside."""
    is_worth_asking: bool = False
    """Whether the provider can be asked how the payment stands."""


async def settle_by_callback(
    session: TenantSession, callback: Callback, now: datetime, answer: Told | None = None
) -> Settled:
    """Rule on a callback under the locks of its receipt and of its payment, and carry the ruling out.

    `answer` is what the provider said about the callback's id, on the second pass after Verdict.ASK.
    Whoever comes first settles; running it again changes nothing.
    """
    place = await _place(session, callback.item_hash)
    if place is None:
        return Settled(Verdict.QUARANTINED, note="no payment has this address")
    receipt = callback.told.receipt if isinstance(callback.told, Paid) else None
    if receipt is not None:
        await lock_receipt(session, place.environment, place.short_code, receipt)
    payment = await lock_payment(session, place.id)
    if payment.channel_id != callback.channel_id:
        return Settled(Verdict.QUARANTINED, payment.id, payment.channel_id, "another channel's endpoint")
    statement = Statement(
        callback.provider_reference, callback.told, await _is_claimed(session, payment, callback), answer
    )
    ruling = judge(_standing(payment), statement)
    return await _carry_out(session, payment, callback, ruling, now)


async def settle_by_answer(session: TenantSession, payment_id: UUID, answer: Told, now: datetime) -> Settled:
    """Rule on what the provider answered about the payment's stored id, under the payment's lock."""
    payment = await lock_payment(session, payment_id)
    ruling = judge_answer(_standing(payment), answer)
    if ruling is Ruling.SUCCEED:
        await succeed(session, payment, payment.receipt, Cause.QUERY, now)
    elif ruling is Ruling.END_UNPAID and isinstance(answer, NotPaid):
        end_unpaid(session, payment, answer, Cause.QUERY, now)
    elif ruling is Ruling.REVIEW:
        flag(session, payment, "The provider calls a settled payment not paid.", Cause.QUERY)
    else:
        return Settled(Verdict.UNCHANGED, payment.id, payment.channel_id)
    return Settled(Verdict.SETTLED, payment.id, payment.channel_id)


async def _carry_out(
    session: TenantSession, payment: Payment, callback: Callback, ruling: Ruling, now: datetime
) -> Settled:
    told = callback.told
    if ruling in (Ruling.SUCCEED, Ruling.END_UNPAID):
        _adopt(payment, callback)
    if ruling is Ruling.SUCCEED:
        receipt = told.receipt if isinstance(told, Paid) else None
        await succeed(session, payment, receipt, Cause.CALLBACK, now)
    elif ruling is Ruling.END_UNPAID and isinstance(told, NotPaid):
        end_unpaid(session, payment, told, Cause.CALLBACK, now)
    elif ruling is Ruling.LEARN_RECEIPT and isinstance(told, Paid) and told.receipt is not None:
        await learn_receipt(session, payment, told.receipt, Cause.CALLBACK)
    else:
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


async def learn_receipt(session: TenantSession, payment: Payment, receipt: str, cause: Cause) -> None:
    """Complete a payment that a query had settled, under the locks of the receipt and of the payment."""
    payment.receipt = receipt
    remark(session, payment, cause, receipt=receipt)
    await clear_suspense(session, payment)


def _adopt(payment: Payment, callback: Callback) -> None:
    """Keep the callback's id where the answer that should have told it was lost."""
    if payment.provider_reference is None and payment.state in (CREATED, UNKNOWN):
        payment.provider_reference = callback.provider_reference


async def _place(session: TenantSession, item_hash: bytes) -> "_Place | None":
    rows = await session.execute(
        select(Payment.id, Payment.environment, Payment.short_code).where(Payment.item_hash == item_hash)
    )
    found = rows.one_or_none()
    return None if found is None else _Place._make(found)


class _Place(NamedTuple):
    id: UUID
    environment: str
    short_code: str


async def _is_claimed(session: TenantSession, payment: Payment, callback: Callback) -> bool:
    """Whether something of the callback belongs to another payment: its receipt, or its id."""
    told = callback.told
    ours = (Payment.channel_id == payment.channel_id, Payment.id != payment.id)
    claims = [exists().where(*ours, Payment.provider_reference == callback.provider_reference)]
    if isinstance(told, Paid) and told.receipt is not None:
        place = (payment.environment, payment.short_code, told.receipt)
        claims.append(
            exists().where(
                Payment.environment == place[0],
                Payment.short_code == place[1],
                Payment.receipt == place[2],
                Payment.id != payment.id,
            )
        )
        claims.append(
            exists().where(
                Confirmation.environment == place[0],
                Confirmation.short_code == place[1],
                Confirmation.receipt == place[2],
                or_(
                    Confirmation.payment_id != payment.id,
                    Confirmation.amount_minor != payment.amount_minor,
                ),
            )
        )
    return bool(await session.scalar(select(or_(*claims))))


def _standing(payment: Payment) -> Standing:
    return Standing(payment.state, payment.amount, payment.provider_reference, payment.receipt)
