"""Asks for open payments on a ladder, since a callback may never come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.payments.attempts import Attempt, attempt_of
from tenant_db.payments.ending import expire_unsent
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.machine import CREATED, ENDED, PENDING, SUBMITTING, UNKNOWN
from tenant_db.payments.models import Payment
from tenant_db.payments.reviewing import STILL_OPEN, flag
from tenant_db.payments.rules import REVIEW_AFTER, Cause, next_poll_at
from tenant_db.payments.stepping import step
from tenant_db.reviews.rules import ReviewCause

UNSENT_CHECK: Final = timedelta(seconds=20)
STRANDED_AFTER: Final = timedelta(minutes=2)
"""Longer than any run may take, its lease included."""


@dataclass(frozen=True, slots=True)
class Question:
    """A payment to ask the provider about."""

    payment_id: UUID
    account_id: UUID
    provider_reference: str
    request_reference: str | None
    amount: Money


@dataclass(frozen=True, slots=True)
class Rung:
    """Where the ladder leads next."""

    question: Question | None
    """None where there is nothing to ask about: no id is known."""
    next_at: datetime | None
    """None at the end of the ladder, and for a payment that has ended."""
    lost: Attempt | None = None
    """An attempt whose answer was lost, and with it the provider's id."""
    is_to_be_given_up: bool = False
    """The payer's time is over: the provider may be told to take no money any more."""


async def take_rung(session: TenantSession, payment_id: UUID, now: datetime, ladder_s: Sequence[int]) -> Rung:
    """Take the rungs that are due, and say what to ask and when to come back. Commit before asking.

    A payment still open after a day is shown to a person. One without the provider's id can only
    wait for its callback or its confirmation, unless its provider can be asked about a lost answer.
    One left `submitting` by a run that died becomes `unknown`, so that no way of losing a run leaves a
    payment stuck.
    """
    payment = await lock_payment(session, payment_id)
    if payment.state in ENDED:
        return Rung(None, None)
    if payment.state is CREATED:
        return _unsent(session, payment, now)
    asked_from = payment.submitted_at or payment.created_at
    if payment.state is SUBMITTING and now - asked_from > STRANDED_AFTER:
        step(session, payment, UNKNOWN, Cause.JOB, why="no run has finished sending the prompt")
    while (due := next_poll_at(asked_from, payment.polls, ladder_s)) is not None and due <= now:
        payment.polls += 1
    if due is None and now < asked_from + REVIEW_AFTER:
        # A short ladder ends, but somebody must still be told.
        due = asked_from + REVIEW_AFTER
    if now - asked_from >= REVIEW_AFTER:
        flag(session, payment, STILL_OPEN, Cause.JOB, ReviewCause.UNKNOWN_OUTCOME)
    is_lost = payment.state is UNKNOWN and payment.provider_reference is None
    lost = await attempt_of(session, payment) if is_lost else None
    # Money that was promised waits for the business, not for the payer.
    is_over = payment.state in {PENDING, UNKNOWN} and now >= payment.expires_at
    return Rung(_question(payment), due, lost, is_over and payment.provider_reference is not None)


def _unsent(session: TenantSession, payment: Payment, now: datetime) -> Rung:
    """It waits for its next claim; where none comes, it expires here."""
    if now >= payment.expires_at:
        expire_unsent(session, payment, now)
        return Rung(None, None)
    return Rung(_question(payment), min(payment.expires_at, now + UNSENT_CHECK))


async def question_of(session: TenantSession, payment_id: UUID) -> Question | None:
    """What to ask about a payment outside the ladder; None where no id is known."""
    return _question(await session.get_one(Payment, payment_id))


def _question(payment: Payment) -> Question | None:
    if payment.provider_reference is None:
        return None
    return Question(
        payment.id,
        payment.provider_account_id,
        payment.provider_reference,
        payment.request_reference,
        payment.amount,
    )
