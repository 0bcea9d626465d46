"""Brings messages that waited at the platform to their tenant, once it can be reached."""

from typing import Final
from uuid import UUID

import structlog

from jobs.work import Done, Handler, Later, Result, Work, backoff
from owner_db.inbox.forwarding import drop_forwarded, waiting
from tenancy.errors import TenantNotServed, TenantUnknown
from tenancy.inbox import NewMessage, store
from tenancy.outbox import announce

QUEUE: Final = "inbox"
FORWARD_ATTEMPTS_MAX: Final = 5_000
"""Money that was told of is never given up while its tenant exists: some two weeks of tries."""

log = structlog.get_logger()


def forwarding_handlers() -> list[Handler]:
    return [Handler("forward_inbox", forward_inbox, attempts_max=FORWARD_ATTEMPTS_MAX)]


async def forward_inbox(work: Work) -> Result:
    """Move one message from the owner's inbox to its tenant's; a repeat finds it there already."""
    inbox_id = UUID(work.payload["inbox_id"])
    async with work.services.owner.reading() as session:
        message = await waiting(session, inbox_id)
    if message is None:
        return Done()
    new = NewMessage(
        source=message.source,
        kind=message.kind,
        external_id=message.external_id,
        headers=message.headers,
        body=message.body,
        item_hash=message.item_hash,
    )
    try:
        tenant = await work.services.tenants.settling(message.tenant_id)
        async with tenant.transaction() as session:
            stored = await store(session, new)
            if stored is not None:
                announce(session, "process_inbox", queue=QUEUE, inbox_id=str(stored))
    except TenantUnknown:
        log.warning("message_without_tenant", tenant=str(message.tenant_id), inbox_id=str(inbox_id))
    except TenantNotServed as refusal:
        return Later(backoff(work.attempt), refusal.message)
    async with work.services.owner.transaction() as session:
        await drop_forwarded(session, inbox_id, work.services.clock())
    return Done()
