"""Verified production short codes, each held by one tenant."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.ids import new_id
from owner_db.tenants.models import ShortCode
from tenancy.sessions import OwnerSession


async def claim_short_code(
    session: OwnerSession, provider: str, short_code: str, tenant_id: UUID, channel_id: UUID
) -> bool:
    """Hold a production short code for the tenant that has proven it; claiming again changes nothing.

    False where another tenant holds it. Called after the proof and before it is recorded, so that
    nobody can squat on a short code they can't collect with.
    """
    await session.execute(
        insert(ShortCode)
        .values(
            id=new_id(),
            created_at=utc_now(),
            provider=provider,
            short_code=short_code,
            tenant_id=tenant_id,
            channel_id=channel_id,
        )
        .on_conflict_do_nothing(index_elements=["provider", "short_code"])
    )
    holder = await session.scalar(
        select(ShortCode.tenant_id).where(ShortCode.provider == provider, ShortCode.short_code == short_code)
    )
    return holder == tenant_id
