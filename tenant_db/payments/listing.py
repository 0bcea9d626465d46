"""Holds a provider's own list of payments against ours: what differs is asked about, or shown to a person."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import or_, select

from core.alerts import AlertKind
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.alerts.raising import raise_alert
from tenant_db.payments.hearing import of_attempt
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.machine import AUTHORIZED, CREATED, SUBMITTING, SUCCEEDED, UNKNOWN
from tenant_db.payments.models import Payment
from tenant_db.payments.reviewing import flag
from tenant_db.payments.rules import Cause

FLAGGED_MAX: Final = 200
"""Payments put before people by one look: more of them have one cause."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One payment of the provider's list."""

    provider_reference: str
    payment_id: UUID | None
    """Ours, where it carries it."""
    attempt_key: str | None
    has_money: bool
    """Paid, promised, or something that does not fit."""
    is_unpaid: bool
    """It came to nothing, for good."""

    @property
    def named(self) -> UUID | None:
        """Our payment, as far as the entry says."""
        return self.payment_id or of_attempt(self.attempt_key)


async def compare_listed(session: TenantSession, account_id: UUID, listed: Sequence[Listed]) -> set[UUID]:
    """Have asked what differs from ours; gives our payments that the list names.

    Money that names a payment of ours which is not here raises an alert. What names none is somebody
    else's use of the same account.
    """
    known = await _known(session, account_id, listed)
    for entry in listed:
        payment = known.get(entry.provider_reference) or known.get(str(entry.named))
        if payment is not None:
            if _differs(payment, entry):
                await _have_asked(session, payment.id, entry)
        elif entry.has_money and entry.named is not None:
            message = f"The provider has money of {entry.provider_reference}, which is not known here."
            await raise_alert(session, AlertKind.BOOKS_DISAGREE, entry.provider_reference, message)
    return {payment.id for payment in known.values()}


async def flag_unlisted(
    session: TenantSession, account_id: UUID, since: datetime, until: datetime, found: AbstractSet[UUID]
) -> int:
    """Show people what we hold for paid, of this time, and the provider's list does not have."""
    ours = await session.scalars(
        select(Payment.id)
        .where(
            Payment.provider_account_id == account_id,
            Payment.channel_id.is_(None),
            Payment.status == SUCCEEDED,
            Payment.submitted_at >= since,
            Payment.submitted_at < until,
        )
        .order_by(Payment.id)
    )
    missing = [id_ for id_ in ours if id_ not in found]
    for id_ in missing[:FLAGGED_MAX]:
        payment = await lock_payment(session, id_)
        flag(session, payment, "Its provider's own list of payments does not have it.", Cause.QUERY)
    return len(missing)


async def _known(session: TenantSession, account_id: UUID, listed: Sequence[Listed]) -> dict[str, Payment]:
    """Our payments on the account, by the provider's id and by ours."""
    references = [entry.provider_reference for entry in listed]
    ids = [entry.named for entry in listed if entry.named is not None]
    found = await session.scalars(
        select(Payment).where(
            Payment.provider_account_id == account_id,
            or_(Payment.provider_reference.in_(references), Payment.id.in_(ids)),
        )
    )
    known = {}
    for payment in found:
        known[str(payment.id)] = payment
        if payment.provider_reference is not None:
            known[payment.provider_reference] = payment
    return known


def _differs(payment: Payment, entry: Listed) -> bool:
    if entry.has_money:
        return payment.state not in {SUCCEEDED, AUTHORIZED, CREATED, SUBMITTING}
    return entry.is_unpaid and payment.state in {SUCCEEDED, AUTHORIZED}


async def _have_asked(session: TenantSession, payment_id: UUID, entry: Listed) -> None:
    payment = await lock_payment(session, payment_id)
    if payment.provider_reference is None and payment.state is UNKNOWN:
        payment.provider_reference = entry.provider_reference
    announce(session, "ask_payment", queue="questions", payment_id=str(payment_id))
