"""Messages as their jobs read them: in one statement, without a session."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from tenancy.sessions import Tenant
from tenant_db.inbox.models import TenantInbox


async def look_at(tenant: Tenant, inbox_ids: Sequence[UUID]) -> list[TenantInbox | None]:
    """The messages in this order, without their headers and locks; None where there is no such message.

    Raises:
        TenantNotServed: the tenant has no connection to give now.
    """
    found = {row["id"]: TenantInbox(**row) for row in await tenant.rows(_LOOK, inbox_ids)}
    return [found.get(id_) for id_ in inbox_ids]


_LOOK: Final = """
SELECT id, created_at, source, kind, external_id, item_hash, body, state FROM inbox WHERE id = ANY ($1)
"""
