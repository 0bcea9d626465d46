"""What every page of a business shows alike: its name, and what the catalog offers; kept for some seconds."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.offers import Offer
from owner_db.tenants.models import Tenant
from resolvers.offers import offers_of
from tenancy.context import Services

KEPT_S: Final = 10.0
BUSINESSES_MAX: Final = 5_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What a page needs from the owner database."""

    business: str
    offers: Mapping[str, Offer]
    """By the provider's code."""


class BusinessNames:
    """Looks names up, and remembers them: thousands of pages may be open."""

    def __init__(self, services: Services) -> None:
        self._owner = services.owner
        self._kept: OrderedDict[UUID, tuple[str, float]] = OrderedDict()

    async def of(self, tenant_id: UUID) -> str:
        """At most KEPT_S old."""
        kept = self._kept.get(tenant_id)
        if kept is not None and time.monotonic() - kept[1] < KEPT_S:
            return kept[0]
        asked_at = time.monotonic()
        async with self._owner.reading() as session:
            name = await session.scalar(select(Tenant.name).where(Tenant.id == tenant_id)) or ""
        self._kept[tenant_id] = (name, asked_at)
        self._kept.move_to_end(tenant_id)
        if len(self._kept) > BUSINESSES_MAX:
            self._kept.popitem(last=False)
        return name

    async def close(self) -> None:
        """Nothing is held open."""


async def facts_of(services: Services, tenant_id: UUID) -> Facts:
    name = await services.shared(BusinessNames).of(tenant_id)
    return Facts(name, await offers_of(services))
