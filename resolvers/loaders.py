"""Batches of rows by id, each read in a short session of its own."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from tenancy.context import TenantContext
from tenant_db.channels.models import Channel
from tenant_db.stores.models import Store

BATCH_MAX = 200


async def stores_by_id(context: TenantContext, ids: Sequence[UUID]) -> list[Store | None]:
    """In the order of `ids`. The caller has checked that stores may be read."""
    async with context.tenant.reading() as session:
        found = {row.id: row for row in await session.scalars(select(Store).where(Store.id.in_(ids)))}
    return [found.get(id_) for id_ in ids]


async def channels_by_id(context: TenantContext, ids: Sequence[UUID]) -> list[Channel | None]:
    """In the order of `ids`. The caller has checked that channels may be read."""
    async with context.tenant.reading() as session:
        found = {row.id: row for row in await session.scalars(select(Channel).where(Channel.id.in_(ids)))}
    return [found.get(id_) for id_ in ids]
