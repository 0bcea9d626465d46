"""What a job of a payment reads and writes without a session, where all is as usual."""

from dataclasses import asdict
from typing import Final

import asyncpg
import structlog

from integrations.protocol import Accepted, StillPending
from jobs.providers import Route
from jobs.work import Work
from tenancy.errors import TenantNotServed, TransactionInterrupted
from tenant_db.calls.recording import NewCall
from tenant_db.payments.submitting import Claim
from tenant_db.payments.submitting_at_once import confirm_at_once

_LOST: Final = (
    TenantNotServed,
    TransactionInterrupted,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)

log = structlog.get_logger()


async def accepted_at_once(work: Work, route: Route, claim: Claim, accepted: Accepted) -> bool:
    """Write down that the provider took a prompt, and its one call, in one statement.

    False where that is not written: a transaction has to look, or to be patient with the database.
    """
    calls = route.calls.gathered
    if accepted.answer != StillPending() or len(calls) != 1:
        return False
    ids, call = (accepted.provider_reference, accepted.request_reference), NewCall(**asdict(calls[0]))
    try:
        is_written = await confirm_at_once(work.tenant, claim.payment_id, claim.item_hash, ids, call)
    except _LOST as error:
        log.warning("outcome_not_recorded_yet", why=type(error).__name__)
        return False
    if is_written:
        route.calls.forget()
    return is_written
