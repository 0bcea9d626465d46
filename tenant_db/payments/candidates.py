"""Looks for the payments that money without a certain name may be for.

Source: M-Pesa Daraja, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select

from core.money import Money
from core.phone import Phone
from tenancy.sessions import TenantSession
from tenant_db.payments.machine import AUTHORIZED, EXPIRED, PENDING, SUBMITTING, SUCCEEDED, UNKNOWN
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import TILL_MATCH_AFTER, TILL_MATCH_BEFORE, is_payer

HASH_CHARACTERS: Final = 64
DOUBT: Final = timedelta(hours=3)
"""Prompts this far from a payment may still be meant, if the payer's number fits and they are open."""
CANDIDATES_MAX = 20
"""Payments locked for one confirmation: two are as many too many as twenty."""
PROMPTS_READ_MAX = 5_000
"""Prompts of one amount at one till whose phones are compared; where there are more, nobody's is known."""


@dataclass(frozen=True, slots=True)
class NewConfirmation:
    """Money that came in to a channel, as the provider tells it."""

    channel_id: UUID
    """Of the endpoint it came to."""
    short_code: str
    receipt: str
    amount: Money
    account: str
    """What the payer typed; empty for a till."""
    payer: str
    paid_at: datetime


async def by_reference(
    session: TenantSession, channel_ids: Sequence[UUID], new: NewConfirmation
) -> list[Payment]:
    """The payment of these channels whose reference the payer typed, locked."""
    account = new.account.strip().upper()
    if not account:
        return []
    return await _locked(session, and_(Payment.channel_id.in_(channel_ids), Payment.reference == account))


async def by_payer(
    session: TenantSession, channel_ids: Sequence[UUID], new: NewConfirmation
) -> list[Payment] | None:
    """Those of these channels, where nothing was typed: an unknown account is somebody's own business.

    None where prompts fit by amount and time, and nobody can say whether it was one of them.
    """
    if new.account.strip():
        return []
    sent_at = func.coalesce(Payment.submitted_at, Payment.created_at)
    fits = and_(
        Payment.channel_id.in_(channel_ids),
        Payment.amount_minor == new.amount.minor,
        Payment.created_at.between(new.paid_at - DOUBT, new.paid_at + DOUBT),
        Payment.receipt.is_(None),
        Payment.status.in_([SUBMITTING, UNKNOWN, PENDING, AUTHORIZED, EXPIRED, SUCCEEDED]),
    )
    is_near = sent_at.between(new.paid_at - TILL_MATCH_AFTER, new.paid_at + TILL_MATCH_BEFORE)
    # Phones first, for a list that is cut off before them could make one of several look like the only one.
    found = await session.execute(
        select(Payment.id, Payment.phone, Payment.status, is_near.label("is_near"))
        .where(fits)
        .limit(PROMPTS_READ_MAX + 1)
    )
    prompts = found.all()
    if len(prompts) > PROMPTS_READ_MAX:
        return None
    theirs = [row for row in prompts if row.phone and is_payer(new.payer, Phone(row.phone))]
    near = [row.id for row in theirs if row.is_near]
    if near:
        return await _locked(session, and_(Payment.id.in_(near), fits))
    # Clocks may be wrong: an open prompt of the payer's may be meant, whatever the time says.
    is_doubtful = any(row.status != EXPIRED for row in theirs)
    is_told = rules_out(new.payer) or not any(row.is_near for row in prompts)
    return [] if is_told and not is_doubtful else None


def rules_out(payer: str) -> bool:
    """Whether a number as it was told can say that it was another phone; a hash says only which it was."""
    compact = "".join(payer.split()).removeprefix("+")
    return any(sign.isdigit() for sign in compact) and len(compact) < HASH_CHARACTERS


async def _locked(session: TenantSession, condition: ColumnElement[bool]) -> list[Payment]:
    found = await session.scalars(
        select(Payment)
        .where(condition)
        .order_by(Payment.id)
        .limit(CANDIDATES_MAX)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(found)
