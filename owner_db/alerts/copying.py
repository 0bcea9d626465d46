"""Keeps copies of what businesses were shown, so that staff see all of them in one place."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from core.ids import new_id
from owner_db.alerts.models import IS_COPY, PlatformAlert
from tenancy.sessions import OwnerSession


async def keep_copy(
    session: OwnerSession, tenant_id: UUID, source_id: UUID, shown: Mapping[str, Any]
) -> bool:
    """Write a version of a business's alert, unless a newer one is here; says whether it was written.

    `shown` has the columns of the alert but its id.
    """
    new = insert(PlatformAlert).values(id=new_id(), tenant_id=tenant_id, source_id=source_id, **shown)
    kept = await session.scalar(
        new.on_conflict_do_update(
            index_elements=["tenant_id", "source_id"],
            index_where=IS_COPY,
            set_={name: new.excluded[name] for name in shown},
            where=PlatformAlert.version < new.excluded.version,
        ).returning(PlatformAlert.id)
    )
    return kept is not None
