"""Choosing the database server of a new tenant."""

from uuid import UUID

from sqlalchemy import func, select

from core.tenant import TenantStatus
from owner_db.tenants.errors import NoServerHasRoom
from owner_db.tenants.models import DatabaseServer, Tenant
from tenancy.sessions import OwnerSession


async def place(session: OwnerSession) -> UUID:
    """The open server that is least full; it stays locked, so that two can't take its last place.

    Raises:
        NoServerHasRoom: every open server is at its capacity.
    """
    servers = await session.execute(
        select(DatabaseServer.id, DatabaseServer.capacity)
        .where(DatabaseServer.is_open)
        .order_by(DatabaseServer.id)
        .with_for_update()
    )
    counted = await session.execute(
        select(Tenant.server_id, func.count())
        .where(Tenant.status.not_in((TenantStatus.DELETED, TenantStatus.FAILED)))
        .group_by(Tenant.server_id)
    )
    placed = dict(counted.all())
    rooms = [(placed.get(id_, 0) / capacity, id_) for id_, capacity in servers]
    fullness, chosen = min(rooms, default=(1.0, None))
    if chosen is None or fullness >= 1:
        raise NoServerHasRoom
    return chosen
