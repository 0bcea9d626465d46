"""Gathers what a person needs to decide: what happened, what was asked and answered, what was told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from tenancy.sessions import TenantSession
from tenant_db.calls.models import ProviderCall
from tenant_db.inbox.models import TenantInbox
from tenant_db.payments.models import Confirmation, Payment, PaymentEvent
from tenant_db.refunds.models import Refund, RefundEvent
from tenant_db.reviews.models import Review

STEPS_MAX: Final = 50
CALLS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened."""

    at: datetime
    from_status: str | None
    to_status: str
    cause: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """A provider's message, by what proves it: its body stays where it is."""

    source: str
    kind: str
    received_at: datetime
    state: str
    note: str | None
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stands beside a question. Calls are redacted as they were logged."""

    payment: Payment | None
    refund: Refund | None
    confirmation: Confirmation | None
    message: Message | None
    steps: Sequence[Step]
    """The oldest first, the last STEPS_MAX of them."""
    calls: Sequence[ProviderCall]
    """The oldest first, the last CALLS_MAX of them."""


async def evidence_of(session: TenantSession, review: Review) -> Evidence:
    """Read it as it stands now."""
    refund = None if review.refund_id is None else await session.get_one(Refund, review.refund_id)
    confirmation = (
        None
        if review.confirmation_id is None
        else await session.get_one(Confirmation, review.confirmation_id)
    )
    payment_id = review.payment_id
    if refund is not None:
        payment_id = refund.payment_id
    elif confirmation is not None:
        payment_id = confirmation.payment_id
    payment = None if payment_id is None else await session.get_one(Payment, payment_id)
    message = None if review.inbox_id is None else await _message(session, review.inbox_id)
    subjects = [found.id for found in (payment, refund) if found is not None]
    return Evidence(
        payment,
        refund,
        confirmation,
        message,
        await _steps(session, payment, refund),
        await _calls(session, subjects),
    )


async def _steps(session: TenantSession, payment: Payment | None, refund: Refund | None) -> list[Step]:
    found: list[PaymentEvent | RefundEvent] = []
    if payment is not None:
        events = select(PaymentEvent).where(PaymentEvent.payment_id == payment.id)
        found += await session.scalars(events.order_by(PaymentEvent.version.desc()).limit(STEPS_MAX))
    if refund is not None:
        steps = select(RefundEvent).where(RefundEvent.refund_id == refund.id)
        found += await session.scalars(steps.order_by(RefundEvent.version.desc()).limit(STEPS_MAX))
    found.sort(key=lambda event: (event.created_at, event.version))
    return [
        Step(event.created_at, event.from_status, event.to_status, event.cause, event.details)
        for event in found[-STEPS_MAX:]
    ]


async def _calls(session: TenantSession, subjects: Sequence[UUID]) -> list[ProviderCall]:
    if not subjects:
        return []
    newest = select(ProviderCall).where(ProviderCall.subject_id.in_(subjects))
    found = await session.scalars(newest.order_by(ProviderCall.created_at.desc()).limit(CALLS_MAX))
    return list(reversed(found.all()))


async def _message(session: TenantSession, inbox_id: UUID) -> Message:
    row = await session.get_one(TenantInbox, inbox_id)
    return Message(
        row.source,
        row.kind,
        row.created_at,
        row.state,
        row.note,
        len(row.body),
        sha256(row.body).hexdigest(),
    )
