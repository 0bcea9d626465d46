"""Lets go of what holds have set aside, once their time is over."""

from datetime import datetime
from typing import Final
from uuid import UUID

from jobs.work import Done, Handler, Later, Result, Work
from tenant_db.ledger.holding import expire_due, expires_at

EXPIRE_ATTEMPTS_MAX: Final = 1_000
"""A run that comes early or finds more than it may expire at once comes again, and counts."""
EARLY_S: Final = 0.05
"""Added to what is left, so that the clocks' last digits do not bring it back a moment early."""


def ledger_handlers() -> list[Handler]:
    """The jobs of the books."""
    return [Handler("expire_hold", expire_hold, attempts_max=EXPIRE_ATTEMPTS_MAX)]


async def expire_hold(work: Work) -> Result:
    """Expire all holds that are due, until the one it was left for is no longer pending."""
    now = work.services.clock()
    async with work.tenant.transaction() as session:
        await expire_due(session, now)
        ends_at = await expires_at(session, UUID(work.payload["hold_id"]))
    return Done() if ends_at is None else Later(_left_s(ends_at, now), "it is still pending")


def _left_s(ends_at: datetime, now: datetime) -> float:
    return max(0.0, (ends_at - now).total_seconds()) + EARLY_S
