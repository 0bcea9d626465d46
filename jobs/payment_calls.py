"""How a job calls a provider about a payment, and writes down how the call ended."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import structlog

from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderUnavailable
from jobs.gathering import Gathering
from jobs.providers import Route
from jobs.work import Work
from tenancy.errors import TenantNotServed, TransactionInterrupted
from tenancy.sessions import Tenant, TenantSession
from tenant_db.payments.machine import CREATED, PaymentStatus

QUEUE: Final = "payments"
QUESTIONS: Final = "questions"
"""After an outage all open payments are asked about at once: no new one waits for that."""
RECORD_WAITS_S: Final = (0.2, 1.0, 3.0, 5.0)
"""Together with the longest call they fit into one run."""

_LOOK: Final = """
SELECT id, provider_account_id, channel_id, status, expires_at, version, store_id FROM payments
WHERE id = ANY ($1)
"""

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Subject:
    """What of a payment says whom to ask about it."""

    payment_id: UUID
    account_id: UUID
    channel_id: UUID | None
    state: PaymentStatus
    expires_at: datetime
    version: int
    store_id: UUID

    def is_over(self, now: datetime) -> bool:
        return self.state is CREATED and now >= self.expires_at


async def subject_of(work: Work, payment_id: UUID) -> Subject:
    """Read where a payment stands, without its lock."""
    subject = await _SUBJECTS.ask(work.tenant, payment_id)
    if subject is None:
        raise ValueError(f"there is no payment {payment_id}")
    return subject


async def _subjects_of(tenant: Tenant, payment_ids: Sequence[UUID]) -> list[Subject | None]:
    rows = await tenant.rows(_LOOK, payment_ids)
    found = {
        id_: Subject(id_, account_id, channel_id, PaymentStatus(status), *rest)
        for id_, account_id, channel_id, status, *rest in rows
    }
    return [found.get(id_) for id_ in payment_ids]


_SUBJECTS: Final = Gathering(_subjects_of)


async def called(work: Work, route: Route, call: Awaitable[T]) -> T:
    """Await a call to the provider, and tell the account's circuit how it went.

    Raises:
        ProviderUnavailable, OutcomeUnknown, ProviderRejected: as the call.
    """
    circuits, account_id = work.services.circuits, route.account_id
    try:
        answer = await call
    except (ProviderUnavailable, OutcomeUnknown):
        await circuits.record(work.tenant.id, account_id, is_success=False)
        raise
    except ProviderRejected:
        await circuits.record(work.tenant.id, account_id, is_success=True)
        raise
    await circuits.record(work.tenant.id, account_id, is_success=True)
    return answer


async def record(
    work: Work, route: Route, subject_id: UUID, verb: Callable[[TenantSession], Awaitable[T]]
) -> T:
    """Write down a call and its outcome in one commit; `verb` must be harmless to repeat.

    What the provider answered is worth some patience: lost, it makes the payment an unknown one.

    Raises:
        TenantNotServed, TransactionInterrupted, OSError: the database stayed away.
    """
    for wait_s in RECORD_WAITS_S:
        try:
            return await _record(work, route, subject_id, verb)
        except (TenantNotServed, TransactionInterrupted, OSError) as error:
            log.warning("outcome_not_recorded_yet", why=type(error).__name__)
            await asyncio.sleep(wait_s)
    return await _record(work, route, subject_id, verb)


async def nothing(_session: TenantSession) -> None:
    """Only the calls are to be written."""


async def _record(
    work: Work, route: Route, subject_id: UUID, verb: Callable[[TenantSession], Awaitable[T]]
) -> T:
    async with work.tenant.transaction() as session:
        result = await verb(session)
        route.calls.write(session, subject_id)
    route.calls.forget()
    return result
