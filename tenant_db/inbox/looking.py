"""A message as its job reads it: in one statement, without a session."""

from typing import Final
from uuid import UUID

from tenancy.sessions import Tenant
from tenant_db.inbox.models import TenantInbox


async def look(tenant: Tenant, inbox_id: UUID) -> TenantInbox:
    """The message without its headers, and without its lock. Jobs name messages that exist.

    Raises:
        TenantNotServed: the tenant has no connection to give now.
        ValueError: there is no such message.
    """
    (row,) = await tenant.rows(_LOOK, inbox_id)
    return TenantInbox(**row)


_LOOK: Final = """
SELECT id, created_at, source, kind, external_id, item_hash, body, state FROM inbox WHERE id = $1
"""
