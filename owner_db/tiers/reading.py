"""Looking tiers up."""

from sqlalchemy import select

from core.errors import InvalidInput
from owner_db.tiers.models import Tier
from tenancy.sessions import OwnerSession


async def all_tiers(session: OwnerSession) -> list[Tier]:
    """Every tier, the smallest first."""
    return list(await session.scalars(select(Tier).order_by(Tier.request_units_per_s)))


async def tier_by_code(session: OwnerSession, code: str) -> Tier:
    """Raises InvalidInput where there is no such tier."""
    tiers = await all_tiers(session)
    for tier in tiers:
        if tier.code == code:
            return tier
    known = ", ".join(tier.code for tier in tiers)
    raise InvalidInput("tier", f"There is no tier {code}. Choose one of: {known}.")
