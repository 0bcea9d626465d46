"""Jobs written in the transaction that needs them: the outbox is the truth, Redis only the messenger."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, null, select, true, update

from core.clock import utc_now
from core.ids import new_id
from tenancy.columns import OutboxColumns
from tenancy.outbox_statements import (
    OPEN,
    PENDING,
    beginning,
    beginning_values,
    claiming,
    claiming_values,
    due_at,
    ending,
    ending_values,
    finishing,
    finishing_values,
)
from tenancy.sessions import OwnerSession, TenantSession
from tenancy.shapes import add_row, model_of

Session = OwnerSession | TenantSession
ERROR_LENGTH_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that a relay holds until its lease ends."""

    id: UUID
    kind: str
    attempts: int
    due: datetime
    """Since when it could have run."""


class Claims(NamedTuple):
    """What a relay has claimed of one queue."""

    rows: Sequence[Claimed]
    """Oldest first."""
    next_due: datetime | None
    """When the queue has something to do next: a due time, or the end of a lease; None where it is empty."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A row that one worker runs until its lease ends."""

    id: UUID
    queue: str
    kind: str
    payload: dict[str, str]
    attempt: int
    """1 at the first run. It fences: a run whose lease was taken over can't record anything."""


def announce(session: Session, kind: str, *, queue: str, after_s: float = 0, **ids: str) -> UUID:
    """Leave a job that runs once this transaction has committed, not before `after_s`.

    `ids` become the payload: what the job reads again when it runs, never a document.
    """
    return announce_as(session, new_id(), kind, queue=queue, after_s=after_s, **ids)


def announce_as(
    session: Session, row_id: UUID, kind: str, *, queue: str, after_s: float = 0, **ids: str
) -> UUID:
    """As `announce`, by an id under which somebody finds the job again; no other job may have it."""
    due = utc_now() + timedelta(seconds=after_s)
    row = add_row(
        session,
        OutboxColumns,
        id=row_id,
        queue=queue,
        kind=kind,
        payload=ids,
        next_attempt_at=due,
    )
    wake(session, queue, due)
    return row.id


def wake(session: Session, queue: str, due: datetime) -> None:
    """Have the relay look at this database's queue at `due`, once this transaction has committed."""
    known = session.after.due.get(queue)
    session.after.due[queue] = due.timestamp() if known is None else min(known, due.timestamp())


async def claim_due(
    session: Session, queue: str, now: datetime, *, lease_s: float, in_flight_max: int
) -> Claims:
    """Hold the due rows of one queue for `lease_s`, oldest first, with at most `in_flight_max` held in all.

    Rows that a rival is claiming at this moment are passed over. A row whose holder died comes
    back when its lease has ended.
    """
    given = claiming_values(queue, now, lease_s=lease_s, in_flight_max=in_flight_max)
    return claims_of(await session.execute(claiming(model_of(session, OutboxColumns)), given), given)


def claims_of(found: Iterable[Sequence[Any]], given: Mapping[str, Any]) -> Claims:
    """What `claiming` gave with these values."""
    dues, rows = [], []
    for *row, others_due in found:
        dues.append(others_due)
        if row[0] is not None:
            rows.append(Claimed(*row))
            dues.append(given["lease_end"])
    # An UPDATE returns them in any order.
    rows.sort(key=lambda row: row.due)
    return Claims(rows, min((due for due in dues if due is not None), default=None))


async def somebody_comes(session: Session, kind: str, *, by: datetime, **ids: str) -> bool:
    """Whether the same job is written and not begun, and due by then: then this one need not come back."""
    model = model_of(session, OutboxColumns)
    found = await session.scalar(
        select(
            exists().where(
                model.kind == kind,
                model.state == "pending",
                model.next_attempt_at <= by,
                model.payload == ids,
            )
        )
    )
    return bool(found)


async def all_due(session: Session) -> dict[str, datetime]:
    """When each queue that has open rows has something to do next: a due time, or the end of a lease."""
    model = model_of(session, OutboxColumns)
    found = await session.execute(
        select(model.queue, func.min(due_at(model))).where(model.state.in_(OPEN)).group_by(model.queue)
    )
    return dict(found.all())


async def begin(session: Session, id: UUID, now: datetime, *, lease_s: float) -> Begun | None:
    """Take one row to run it, as the next attempt.

    None where there is nothing to run: it is finished, not yet due, or runs elsewhere. The row
    lock decides between two workers; the loser finds the winner's lease.
    """
    found = await session.execute(
        beginning(model_of(session, OutboxColumns)), beginning_values([id], now, lease_s=lease_s)
    )
    row = found.one_or_none()
    return None if row is None else Begun(*row)


async def renew(session: Session, begun: Begun, now: datetime, *, lease_s: float) -> bool:
    """Hold a running row for `lease_s` from now; false where another run has taken it over."""
    model = model_of(session, OutboxColumns)
    renewed = await session.scalar(
        update(model)
        .where(model.id == begun.id, model.state == "running", model.attempts == begun.attempt)
        .values(leased_until=now + timedelta(seconds=lease_s))
        .returning(model.id)
        .execution_options(synchronize_session=False)
    )
    return renewed is not None


async def finish(session: Session, begun: Begun, now: datetime) -> None:
    """Record that the row's work is done."""
    found = await session.execute(
        finishing(model_of(session, OutboxColumns)), finishing_values([(begun.id, begun.attempt)], now)
    )
    for queue, has_more in found:
        if has_more:
            wake(session, queue, now)


async def let_go(session: Session, id: UUID, now: datetime) -> None:
    """Have a claimed row claimed again at once: whoever was to run it could not begin.

    Harmless where somebody else was given it meanwhile: a row begins once.
    """
    await _let_go(session, now, model_of(session, OutboxColumns).id == id)


async def let_claims_go(session: Session, now: datetime) -> None:
    """As `let_go`, with every row that was claimed and not begun."""
    await _let_go(session, now, true())


async def postpone(session: Session, begun: Begun, now: datetime, *, due: datetime, why: str) -> None:
    """Record that the row is to run again, at `due`."""
    values = {"state": "pending", "next_attempt_at": due, "last_error": why[:ERROR_LENGTH_MAX]}
    if await _end(session, begun, now, values):
        wake(session, begun.queue, due)


async def bury(session: Session, begun: Begun, now: datetime, *, why: str) -> None:
    """Make the row a dead letter: it stays, visible, until a person requeues it."""
    await _end(
        session, begun, now, {"state": "dead", "finished_at": now, "last_error": why[:ERROR_LENGTH_MAX]}
    )


async def _let_go(session: Session, now: datetime, which: ColumnElement[bool]) -> None:
    model = model_of(session, OutboxColumns)
    queues = await session.scalars(
        update(model)
        .where(which, model.state == PENDING, model.leased_until > now)
        .values(leased_until=null())
        .returning(model.queue)
        .execution_options(synchronize_session=False)
    )
    for queue in set(queues):
        wake(session, queue, now)


async def _end(session: Session, begun: Begun, now: datetime, values: dict[str, object]) -> bool:
    """Write how a run ended, unless another run has taken the row over; says whether it was written.

    Ending a run makes room below the tenant's cap, so the relay is woken if more was waiting for it.
    """
    found = await session.execute(
        ending(model_of(session, OutboxColumns), values),
        ending_values(begun.id, begun.queue, begun.attempt, now),
    )
    more = found.scalar_one_or_none()
    if more:
        wake(session, begun.queue, now)
    return more is not None
