"""Puts a question before people, in the transaction of what it is about."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, type_coerce, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from core.alerts import AlertKind
from core.clock import utc_now
from core.ids import Kind, new_id, outside
from tenancy.sessions import Notice, TenantSession
from tenant_db.alerts.handling import resolve_by_key
from tenant_db.alerts.raising import raise_alert
from tenant_db.reviews.models import IS_OPEN, Review
from tenant_db.reviews.rules import NOTES_MAX, ReviewCause, ReviewDecision, ReviewState, ReviewSubject


@dataclass(frozen=True, slots=True)
class NewReview:
    """The command to ask a person about one thing."""

    subject: ReviewSubject
    subject_id: UUID
    """Of the payment, refund, confirmation or inbox message."""
    cause: ReviewCause
    question: str
    """What is to be decided, in one or two sentences."""
    note: str
    """What came up. The same note again changes nothing."""
    suggestion: ReviewDecision | None = None


async def open_review(session: TenantSession, new: NewReview) -> UUID:
    """Ask a person, and raise an alert once it commits; gives the review's id.

    While a review of the same thing is open, the note joins it instead; the same note again leaves it as
    it is. The rows stay locked until the transaction ends.
    """
    row = _values(new)
    added = type_coerce([new.note], JSONB)
    opened = await session.execute(
        insert(Review)
        .values(row)
        .on_conflict_do_update(
            index_elements=["subject_kind", "subject_id"],
            index_where=IS_OPEN,
            set_={
                "notes": case((_is_full(), Review.notes), else_=Review.notes.op("||")(added)),
                "version": Review.version + 1,
                "last_at": row["last_at"],
            },
            where=~Review.notes.bool_op("@>")(added),
        )
        .returning(Review.id, Review.version)
    )
    found = opened.one_or_none()
    if found is None:
        return await _standing(session, new)
    id_, version = found
    tell(session, id_, version)
    if version == 1:
        subject = outside(Kind.REVIEW, id_)
        await raise_alert(
            session, AlertKind.REVIEW_NEEDED, subject, new.note, details={"cause": new.cause.value}
        )
    return id_


def open_review_at_end(session: TenantSession, new: NewReview) -> None:
    """As `open_review`, right before the commit: its rows are held for a moment only."""

    async def act(ending: TenantSession) -> None:
        await open_review(ending, new)

    session.at_end.append(act)


async def overtake(session: TenantSession, subject: ReviewSubject, subject_id: UUID, now: datetime) -> None:
    """Close the open review of something that has settled by itself; nothing happens where there is none."""
    closed = await session.execute(
        update(Review)
        .where(Review.subject_kind == subject, Review.subject_id == subject_id, IS_OPEN)
        .values(state=ReviewState.OVERTAKEN.value, decided_at=now, version=Review.version + 1)
        .returning(Review.id, Review.version)
        .execution_options(synchronize_session=False)
    )
    for id_, version in closed.all():
        tell(session, id_, version)
        await resolve_by_key(session, alert_key(id_), "system", "It has settled by itself.", now)


def overtake_at_end(session: TenantSession, subject: ReviewSubject, subject_id: UUID) -> None:
    """As `overtake`, right before the commit."""

    async def act(ending: TenantSession) -> None:
        await overtake(ending, subject, subject_id, utc_now())

    session.at_end.append(act)


def alert_key(review_id: UUID) -> str:
    """Under which a review's alert was raised."""
    return f"{AlertKind.REVIEW_NEEDED.value}:{outside(Kind.REVIEW, review_id)}"


def tell(session: TenantSession, id: UUID, version: int) -> None:
    """Publish a version of a review after the commit."""
    session.after.notices.append(Notice("reviews", {"id": str(id), "version": version}))


async def _standing(session: TenantSession, new: NewReview) -> UUID:
    """The review that has this note already; under its lock, for the conflict has taken it."""
    found = await session.execute(
        update(Review)
        .where(Review.subject_kind == new.subject, Review.subject_id == new.subject_id, IS_OPEN)
        .values(last_at=utc_now())
        .returning(Review.id)
        .execution_options(synchronize_session=False)
    )
    return found.scalar_one()


def _is_full() -> ColumnElement[bool]:
    return func.jsonb_array_length(Review.notes) >= NOTES_MAX


def _values(new: NewReview) -> dict[str, object]:
    now = utc_now()
    column = {
        ReviewSubject.PAYMENT: "payment_id",
        ReviewSubject.REFUND: "refund_id",
        ReviewSubject.CONFIRMATION: "confirmation_id",
        ReviewSubject.MESSAGE: "inbox_id",
    }[new.subject]
    return {
        "id": new_id(),
        "created_at": now,
        "subject_kind": new.subject.value,
        "subject_id": new.subject_id,
        column: new.subject_id,
        "cause": new.cause.value,
        "question": new.question,
        "notes": [new.note],
        "suggestion": None if new.suggestion is None else new.suggestion.value,
        "state": ReviewState.OPEN.value,
        "version": 1,
        "last_at": now,
        "outcome": {},
    }
