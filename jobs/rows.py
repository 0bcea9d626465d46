"""The steps of a tenant's outbox row that every job takes, each in one statement without a session."""

import json
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.outbox import Begun, Claimed, in_order
from tenancy.outbox_statements import (
    beginning,
    beginning_values,
    claiming,
    claiming_values,
    finishing,
    finishing_values,
    looking,
)
from tenancy.prepared import Prepared
from tenancy.sessions import AfterCommit, Tenant
from tenant_db.outbox.models import TenantOutbox

_CLAIM: Final = Prepared(claiming(TenantOutbox))
_LOOK: Final = Prepared(looking(TenantOutbox))
_BEGIN: Final = Prepared(beginning(TenantOutbox))
_FINISH: Final = Prepared(finishing(TenantOutbox))


async def claim_rows(
    tenant: Tenant, queue: str, now: datetime, *, lease_s: float, in_flight_max: int
) -> tuple[list[Claimed], datetime | None]:
    """As `claim_due`, and then `next_due`.

    Raises:
        TenantNotServed, TransactionInterrupted: as `Tenant.write`.
    """
    given = claiming_values(queue, now, lease_s=lease_s, in_flight_max=in_flight_max)
    rows = await tenant.write(_CLAIM.sql, *_CLAIM.arguments(given), after=AfterCommit())
    due = await tenant.rows(_LOOK.sql, *_LOOK.arguments({"in_queue": queue}))
    return in_order([tuple(row) for row in rows]), due[0][0]


async def begin_row(tenant: Tenant, id: UUID, now: datetime, *, lease_s: float) -> Begun | None:
    """As `begin`. Raises TenantNotServed, TransactionInterrupted."""
    given = beginning_values(id, now, lease_s=lease_s)
    rows = await tenant.write(_BEGIN.sql, *_BEGIN.arguments(given), after=AfterCommit())
    if not rows:
        return None
    id_, queue, kind, payload, attempt = rows[0]
    return Begun(id_, queue, kind, json.loads(payload), attempt)


async def finish_row(tenant: Tenant, begun: Begun, now: datetime) -> None:
    """As `finish`. Raises TenantNotServed, TransactionInterrupted."""
    given = finishing_values(begun.id, begun.queue, begun.attempt, now)
    rows = await tenant.write(_FINISH.sql, *_FINISH.arguments(given), after=AfterCommit())
    if rows and rows[0][0]:
        await tenant.tell(AfterCommit(due={begun.queue: now.timestamp()}))
