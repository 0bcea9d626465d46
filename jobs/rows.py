"""The steps of a tenant's outbox row that every job takes, each in one statement without a session."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.outbox import Begun, Claims, claims_of
from tenancy.outbox_statements import (
    beginning,
    beginning_values,
    claiming,
    claiming_values,
    finishing,
    finishing_values,
)
from tenancy.prepared import Prepared
from tenancy.sessions import AfterCommit, Tenant
from tenant_db.outbox.models import TenantOutbox

_CLAIM: Final = Prepared(claiming(TenantOutbox))
_BEGIN: Final = Prepared(beginning(TenantOutbox))
_FINISH: Final = Prepared(finishing(TenantOutbox))


async def claim_rows(
    tenant: Tenant, queue: str, now: datetime, *, lease_s: float, in_flight_max: int
) -> Claims:
    """As `claim_due`.

    Raises:
        TenantNotServed, TransactionInterrupted: as `Tenant.write`.
    """
    given = claiming_values(queue, now, lease_s=lease_s, in_flight_max=in_flight_max)
    rows = await tenant.write(_CLAIM.sql, *_CLAIM.arguments(given), after=AfterCommit())
    return claims_of((tuple(row) for row in rows), given)


async def begin_rows(
    tenant: Tenant, ids: Sequence[UUID], now: datetime, *, lease_s: float
) -> list[Begun | None]:
    """As `begin`, of several rows at once. Raises TenantNotServed, TransactionInterrupted."""
    given = beginning_values(ids, now, lease_s=lease_s)
    rows = await tenant.write(_BEGIN.sql, *_BEGIN.arguments(given), after=AfterCommit())
    begun = {
        id_: Begun(id_, queue, kind, json.loads(payload), attempt)
        for id_, queue, kind, payload, attempt in rows
    }
    return [begun.get(id_) for id_ in ids]


async def finish_rows(tenant: Tenant, ended: Sequence[Begun], now: datetime) -> list[None]:
    """As `finish`, of several runs at once. Raises TenantNotServed, TransactionInterrupted."""
    given = finishing_values([(begun.id, begun.attempt) for begun in ended], now)
    rows = await tenant.write(_FINISH.sql, *_FINISH.arguments(given), after=AfterCommit())
    due = {queue: now.timestamp() for queue, has_more in rows if has_more}
    if due:
        await tenant.tell(AfterCommit(due=due))
    return [None] * len(ended)
