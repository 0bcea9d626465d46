"""Production short codes, each held by the one tenant that has proven it."""

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
    """Hold a short code for the tenant that has just verified it; False where another one holds it.

    It only keeps others from squatting: a callback is never routed by it.
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
