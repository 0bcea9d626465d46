"""What the catalog offers, kept for some seconds: each new payment is held against it."""

import time
from collections.abc import Mapping
from typing import Final

from core.offers import Offer
from owner_db.catalog.providers import offers
from tenancy.context import Services
from tenancy.flights import Flights

KEPT_S: Final = 5.0
"""How long a change of the catalog may take to be followed."""


class CatalogOffers:
    """One process's memory of the catalog."""

    def __init__(self, services: Services) -> None:
        self._owner = services.owner
        self._kept: Mapping[str, Offer] = {}
        self._until = 0.0
        self._flights: Flights[None, Mapping[str, Offer]] = Flights(self._read)

    async def all(self) -> Mapping[str, Offer]:
        """By the provider's code, whatever the provider's status."""
        if time.monotonic() < self._until:
            return self._kept
        return await self._flights.join(None)

    async def _read(self, _: None) -> Mapping[str, Offer]:
        async with self._owner.reading() as session:
            self._kept = await offers(session)
        self._until = time.monotonic() + KEPT_S
        return self._kept

    async def close(self) -> None:
        """Nothing is held open."""


async def offers_of(services: Services) -> Mapping[str, Offer]:
    """What the catalog offers, at most KEPT_S old."""
    return await services.shared(CatalogOffers).all()
