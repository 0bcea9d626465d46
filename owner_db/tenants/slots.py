"""Turns on a database server, as session advisory locks: a crash gives them back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import asyncpg

from owner_db.tenants.errors import ProvisioningBusy

_SLOTS: Final = 0x48A21A01
"""First half of the lock keys that count provisionings; the second half is the slot's number."""

_TAKE: Final = """
SELECT CASE WHEN pg_try_advisory_lock($1) THEN $3::int IS NULL OR EXISTS (
  SELECT FROM generate_series(0, $3 - 1) AS slot WHERE pg_try_advisory_lock($2::int, slot)) END
"""
"""The turn first, then the first slot that is free."""


@asynccontextmanager
async def provisioning_slot(
    admin: asyncpg.Connection, tenant_id: UUID, concurrent_max: int | None
) -> AsyncIterator[None]:
    """Hold one of the server's slots and the tenant's own turn; None takes the turn alone.

    Raises:
        ProvisioningBusy: no slot is free, or another process is at this tenant.
    """
    mine = int.from_bytes(tenant_id.bytes[-8:], "big", signed=True)
    try:
        if not await admin.fetchval(_TAKE, mine, _SLOTS, concurrent_max):
            raise ProvisioningBusy
        yield
    finally:
        # Closing the connection frees them as well; a broken one has freed them already.
        if not admin.is_closed():
            await admin.execute("SELECT pg_advisory_unlock_all()")
