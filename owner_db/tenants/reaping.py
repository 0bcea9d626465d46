"""Finding tenants that were registered and never used."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import exists, select

from core.tenant import TenantStatus
from owner_db.tenants.models import HookEndpoint, Tenant
from owner_db.users.models import ApiKey, Membership, User
from tenancy.sessions import OwnerDatabase

UNUSED_AFTER: Final = timedelta(hours=24)


async def unused_tenants(owner: OwnerDatabase, now: datetime, *, limit: int) -> Sequence[UUID]:
    """Tenants to end: a day old, made by a user, and nothing speaks for them.

    Those that still wait for approval count as well: each holds a place on its database server.
    What speaks for a tenant: one member with a verified e-mail address, one API key, or one
    callback address, which comes with its first channel. Without a channel there is no payment.
    """
    speaks = (
        exists().where(
            Membership.tenant_id == Tenant.id,
            User.id == Membership.user_id,
            User.email_verified_at.is_not(None),
        ),
        exists().where(ApiKey.tenant_id == Tenant.id),
        exists().where(HookEndpoint.tenant_id == Tenant.id),
    )
    async with owner.reading() as session:
        found = await session.scalars(
            select(Tenant.id)
            .where(
                Tenant.status.in_((TenantStatus.ACTIVE, TenantStatus.REQUESTED)),
                Tenant.created_by.is_not(None),
                Tenant.created_at <= now - UNUSED_AFTER,
                *(~sign for sign in speaks),
            )
            .order_by(Tenant.created_at)
            .limit(limit)
        )
        return found.all()
