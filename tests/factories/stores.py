"""Stores."""

from datetime import datetime

from core.ids import new_id
from tenancy.sessions import Tenant
from tenant_db.stores.models import Store


async def make_store(
    tenant: Tenant,
    code: str = "main",
    *,
    time_zone: str = "Africa/Nairobi",
    closed_at: datetime | None = None,
) -> Store:
    store = Store(id=new_id(), name="Main street", code=code, time_zone=time_zone, closed_at=closed_at)
    async with tenant.transaction() as session:
        session.add(store)
    return store
