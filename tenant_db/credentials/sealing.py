"""Seals secrets for good: they can be replaced and used, never read by the tenant."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.ids import new_id
from tenancy.keyring import Keyring, Place
from tenancy.sessions import TenantSession
from tenant_db.credentials.models import SealedSecret

TABLE: Final = SealedSecret.__tablename__
COLUMN: Final = "sealed"


async def seal_secrets(
    session: TenantSession, keyring: Keyring, account_id: UUID, secrets: Mapping[str, str]
) -> None:
    """Write secrets of one provider account, each in place of the one of its name.

    The caller keeps others from writing the same account's secrets meanwhile. What was sealed
    before is overwritten; copies live on in backups only.
    """
    found = await session.execute(
        select(SealedSecret.name, SealedSecret.id).where(SealedSecret.provider_account_id == account_id)
    )
    known: dict[str, UUID] = {row.name: row.id for row in found}
    rows = []
    for name, secret in sorted(secrets.items()):
        # A secret keeps its row: the row's id is part of what it is bound to.
        row_id = known.get(str(name)) or new_id()
        sealed = await keyring.seal(session.tenant_id, Place(TABLE, COLUMN, row_id), secret)
        rows.append(
            {
                "id": row_id,
                "created_at": utc_now(),
                "provider_account_id": account_id,
                "name": str(name),
                "sealed": sealed,
            }
        )
    written = insert(SealedSecret).values(rows)
    await session.execute(
        written.on_conflict_do_update(index_elements=["id"], set_={"sealed": written.excluded.sealed})
    )
