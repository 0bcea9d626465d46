"""Plans the checks of one night: of each store, and of what all stores share."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from core.ids import new_id
from tenancy.sessions import TenantSession
from tenant_db.reconciliation.models import Reconciliation
from tenant_db.reconciliation.reconciling import NewReconciliation
from tenant_db.reconciliation.rules import AskedBy
from tenant_db.stores.models import Store


async def ask_for_night(session: TenantSession, night: date, now: datetime) -> Sequence[UUID]:
    """Plan each scope once for this night; gives those that were not planned before, for their jobs."""
    stores = await session.scalars(select(Store.id).order_by(Store.id))
    wanted = [NewReconciliation(store_id, AskedBy.NIGHT, night) for store_id in (None, *stores)]
    planned = await session.scalars(
        insert(Reconciliation)
        .values([_values(new, now) for new in wanted])
        .on_conflict_do_nothing(index_elements=["scope", "night"])
        .returning(Reconciliation.id)
    )
    return planned.all()


def _values(new: NewReconciliation, now: datetime) -> dict[str, object]:
    return {
        "id": new_id(),
        "created_at": now,
        "scope": new.scope,
        "store_id": new.store_id,
        "asked_by": new.asked_by.value,
        "night": new.night,
    }
