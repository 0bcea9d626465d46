"""The statements of the outbox: each built of a database's own table, with its values by name."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased
from sqlalchemy.sql.dml import ReturningUpdate

from tenancy.columns import OutboxColumns

PENDING: Final = literal_column("'pending'", Text)
RUNNING: Final = literal_column("'running'", Text)
OPEN: Final = (PENDING, RUNNING)
"""In the statement's own text: the partial index of open rows serves what names its condition."""
SKEW_S: Final = 1.0
"""How far the clocks of two of our machines may be apart."""


def claiming(model: type[OutboxColumns]) -> Select[Any]:
    """The statement of `claim_due`: built once, it also runs without a session.

    It gives what was claimed, and beside each when what was not is due; all NULL but that where
    nothing was claimed.
    """
    queue, now = bindparam("in_queue", type_=Text), _instant("now")
    held = (
        select(func.count())
        .where(model.queue == queue, model.state.in_(OPEN), model.leased_until > now)
        .scalar_subquery()
    )
    chosen = (
        select(model.id)
        .where(_due(model, queue, now))
        .order_by(model.next_attempt_at)
        .limit(func.greatest(0, bindparam("in_flight_max", type_=Integer) - held))
        .with_for_update(skip_locked=True)
        .cte("chosen")
        .prefix_with("MATERIALIZED")
    )
    claimed = (
        update(model)
        .where(model.id.in_(select(chosen.c.id)))
        # The row of a run that died is open again: `begin` would leave it to a run that holds it.
        .values(state="pending", leased_until=_instant("lease_end"))
        .returning(model.id, model.kind, model.attempts, model.next_attempt_at)
        .cte("claimed")
    )
    others = (
        select(func.min(due_at(model)))
        .where(model.queue == queue, model.state.in_(OPEN), model.id.not_in(select(chosen.c.id)))
        .subquery("others")
    )
    return select(claimed, others).select_from(others.outerjoin(claimed, true()))


def claiming_values(queue: str, now: datetime, *, lease_s: float, in_flight_max: int) -> dict[str, Any]:
    """What `claiming` is run with."""
    lease_end = now + timedelta(seconds=lease_s)
    return {"in_queue": queue, "now": now, "lease_end": lease_end, "in_flight_max": in_flight_max}


def beginning(model: type[OutboxColumns]) -> ReturningUpdate[Any]:
    """The statement of `begin`, for any number of rows."""
    is_free = or_(model.state == PENDING, and_(model.state == RUNNING, model.leased_until <= _instant("now")))
    # In the order of their ids, so that two that begin the same rows can't wait for each other.
    held = (
        select(model.id)
        .where(model.id == any_(bindparam("row_ids", type_=ARRAY(Uuid))))
        .order_by(model.id)
        .with_for_update()
        .cte("held")
        .prefix_with("MATERIALIZED")
    )
    return (
        update(model)
        .where(model.id.in_(select(held.c.id)), model.next_attempt_at <= _instant("soon"), is_free)
        .values(state="running", attempts=model.attempts + 1, leased_until=_instant("lease_end"))
        .returning(model.id, model.queue, model.kind, model.payload, model.attempts)
        .execution_options(synchronize_session=False)
    )


def beginning_values(ids: Sequence[UUID], now: datetime, *, lease_s: float) -> dict[str, Any]:
    """What `beginning` is run with."""
    soon, lease_end = now + timedelta(seconds=SKEW_S), now + timedelta(seconds=lease_s)
    return {"row_ids": ids, "now": now, "soon": soon, "lease_end": lease_end}


def finishing(model: type[OutboxColumns]) -> ReturningUpdate[str, bool]:
    """The statement of `finish`, for any number of runs.

    It gives the queue of each, and whether more is waiting there; no row where another run has taken
    the row over.
    """
    ended = (
        func.unnest(bindparam("row_ids", type_=ARRAY(Uuid)), bindparam("run_attempts", type_=ARRAY(Integer)))
        .table_valued("id", "attempt", name="ended")
        .render_derived()
    )
    held = (
        select(model.id)
        .join(ended, and_(model.id == ended.c.id, model.attempts == ended.c.attempt))
        .where(model.state == RUNNING)
        .order_by(model.id)
        .with_for_update(of=model)
        .cte("held")
        .prefix_with("MATERIALIZED")
    )
    other = aliased(model)
    waiting = (
        exists(other.id)
        .where(_due(other, model.queue, _instant("now")), other.state == PENDING)
        .correlate(model)
    )
    return (
        update(model)
        .where(model.id.in_(select(held.c.id)))
        .values(state="done", finished_at=_instant("now"), last_error=null(), leased_until=null())
        .returning(model.queue, waiting)
        .execution_options(synchronize_session=False)
    )


def finishing_values(runs: Iterable[tuple[UUID, int]], now: datetime) -> dict[str, Any]:
    """What `finishing` is run with: the row and the attempt of each run."""
    ids, attempts = zip(*runs, strict=True)
    return {"row_ids": ids, "run_attempts": attempts, "now": now}


def ending(model: type[OutboxColumns], values: dict[str, Any]) -> ReturningUpdate[Any]:
    """Ends one run; gives whether more is waiting in its queue."""
    row_id = bindparam("row_id", type_=Uuid)
    waiting = exists().where(
        _due(model, bindparam("in_queue", type_=Text), _instant("now")),
        model.id != row_id,
        model.state == PENDING,
    )
    return (
        update(model)
        .where(
            model.id == row_id,
            model.state == RUNNING,
            model.attempts == bindparam("attempt", type_=Integer),
        )
        .values(leased_until=null(), **values)
        .returning(select(waiting).scalar_subquery())
        .execution_options(synchronize_session=False)
    )


def ending_values(id: UUID, queue: str, attempt: int, now: datetime) -> dict[str, Any]:
    """What `ending` is run with."""
    return {"row_id": id, "in_queue": queue, "attempt": attempt, "now": now}


def _instant(name: str) -> BindParameter[datetime]:
    return bindparam(name, type_=DateTime(timezone=True))


def _due(
    model: type[OutboxColumns],
    queue: ColumnElement[str] | InstrumentedAttribute[str],
    now: BindParameter[datetime],
) -> ColumnElement[bool]:
    return and_(
        model.queue == queue,
        model.state.in_(OPEN),
        model.next_attempt_at <= now,
        or_(model.leased_until.is_(None), model.leased_until <= now),
    )


def due_at(model: type[OutboxColumns]) -> ColumnElement[datetime]:
    return func.greatest(model.next_attempt_at, func.coalesce(model.leased_until, model.next_attempt_at))
