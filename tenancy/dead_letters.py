"""Jobs that were given up: listed for a person, who may have them tried again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, update

from core.errors import NotFound
from tenancy.columns import OutboxColumns
from tenancy.outbox import wake
from tenancy.sessions import OwnerSession, TenantSession
from tenancy.shapes import model_of

PAGE_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that ran out of attempts or was refused for good."""

    id: UUID
    queue: str
    kind: str
    payload: dict[str, str]
    """The ids it was about."""
    attempts: int
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None
    """When it was given up."""


async def dead_letters(
    session: OwnerSession | TenantSession, *, first: int, before: UUID | None = None
) -> Sequence[DeadLetter]:
    """The newest dead letters of this database, at most `first` and never more than `PAGE_MAX`.

    `before` is the last id of the page before this one.
    """
    model = model_of(session, OutboxColumns)
    query = (
        select(
            model.id,
            model.queue,
            model.kind,
            model.payload,
            model.attempts,
            model.last_error,
            model.created_at,
            model.finished_at,
        )
        .where(model.state == "dead")
        .order_by(model.id.desc())
        .limit(min(first, PAGE_MAX))
    )
    found = await session.execute(query if before is None else query.where(model.id < before))
    return [DeadLetter(*row) for row in found]


async def requeue(session: OwnerSession | TenantSession, id: UUID, now: datetime) -> None:
    """Have a dead letter run again from its first attempt, once this transaction has committed.

    Raises:
        NotFound: there is no dead letter with this id in this database.
    """
    model = model_of(session, OutboxColumns)
    queue = await session.scalar(
        update(model)
        .where(model.id == id, model.state == "dead")
        .values(state="pending", attempts=0, next_attempt_at=now, leased_until=None, finished_at=None)
        .returning(model.queue)
        .execution_options(synchronize_session=False)
    )
    if queue is None:
        raise NotFound("dead letter")
    wake(session, queue, now)
