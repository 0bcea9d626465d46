"""Goes over all tenants whose money is looked after, some at a time."""

from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select

from owner_db.tenants.models import Tenant
from tenancy.engines import SETTLING
from tenancy.sessions import OwnerDatabase

BATCH: Final = 200


async def settling_tenants(owner: OwnerDatabase) -> AsyncIterator[Sequence[UUID]]:
    """Ids in their order, at most BATCH at a time; no session stays open between them."""
    last = UUID(int=0)
    while batch := await _after(owner, last):
        yield batch
        last = batch[-1]


async def _after(owner: OwnerDatabase, last: UUID) -> Sequence[UUID]:
    async with owner.reading() as session:
        found = await session.scalars(
            select(Tenant.id)
            .where(Tenant.id > last, Tenant.status.in_(SETTLING))
            .order_by(Tenant.id)
            .limit(BATCH)
        )
        return found.all()
