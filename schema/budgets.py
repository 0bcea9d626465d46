"""Who pays for an operation: a bucket for each caller of each tenant, sized by the tenant's tier."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import select

from owner_db.tiers.models import Tier
from tenancy.context import PAYER, OwnerContext, TenantContext
from tenancy.errors import RateLimited
from tenancy.limits import Budget
from tenancy.sessions import OwnerDatabase

TIERS_REFRESH_S: Final = 60.0

Context = TenantContext | OwnerContext


@dataclass(frozen=True, slots=True)
class Allowance:
    """A token bucket: how much at once, and how fast it fills. And how many sockets at once."""

    capacity: int
    restore_per_s: int
    sockets_max: int


UNPROVEN: Final = Allowance(2_000, 100, 20)
"""Of one IP address without a valid token: sign-in and registration."""
PAYERS: Final = Allowance(1_000, 50, 1_000)
"""Of one order's page; and the sockets of all such pages of one business on one process."""
STAFF: Final = Allowance(50_000, 5_000, 200)
SMALLEST: Final = Allowance(2_000, 100, 20)
"""Of a tenant whose tier is not known."""

CALLERS_AT_ONCE: Final = 4
"""All callers of a tenant together may use what so many of them may: another key is no way around."""
EVERYBODY: Final = "everybody"

LoadTiers = Callable[[], Awaitable[Mapping[str, Allowance]]]


class Charge(Protocol):
    """What an operation was charged."""

    @property
    def cost(self) -> int: ...

    @property
    def budget(self) -> Budget: ...

    def settle(self, actual: int) -> None:
        """Give back what it did not need."""


@dataclass(frozen=True, slots=True)
class _Charged:
    cost: int
    budget: Budget
    give_back: Callable[[int], None]

    def settle(self, actual: int) -> None:
        if actual < self.cost:
            self.give_back(self.cost - actual)


class Charging:
    """Charges callers by tier. The tiers are read again every TIERS_REFRESH_S seconds."""

    def __init__(self, load_tiers: LoadTiers) -> None:
        self._load_tiers = load_tiers
        self._tiers: Mapping[str, Allowance] = {}
        self._loaded_at = float("-inf")

    async def charge(self, context: Context, cost: int) -> Charge:
        """Take the cost of an operation from its caller's bucket, and from that of the whole tenant.

        Raises:
            RateLimited: a bucket lacks it; the operation must not run.
        """
        allowance = await self.allowance(context)
        principal = context.principal
        tenant_id = None if principal is None else principal.tenant_id
        caller = f"ip:{context.request.network}" if principal is None else f"{principal.kind}:{principal.id}"
        limits = context.services.limits
        budget = await limits.charge(tenant_id, caller, cost, allowance.capacity, allowance.restore_per_s)
        if principal is not None and principal.kind == PAYER:
            return await self._of_payer(context, cost, budget)
        if tenant_id is None:
            return _Charged(cost, budget, lambda units: limits.give_back(None, caller, units))

        def give_back(units: int) -> None:
            for whose in (caller, EVERYBODY):
                limits.give_back(tenant_id, whose, units)

        capacity, restore = CALLERS_AT_ONCE * allowance.capacity, CALLERS_AT_ONCE * allowance.restore_per_s
        try:
            await limits.charge(tenant_id, EVERYBODY, cost, capacity, restore)
        except RateLimited:
            limits.give_back(tenant_id, caller, cost)
            raise
        return _Charged(cost, budget, give_back)

    async def _of_payer(self, context: Context, cost: int, budget: Budget) -> Charge:
        """A payer pays with the address, too, and not from what the business' own people share.

        Raises:
            RateLimited: the address asked for too much, whatever links it holds.
        """
        address = f"payers:{context.request.network}"
        await context.services.limits.charge(None, address, cost, UNPROVEN.capacity, UNPROVEN.restore_per_s)
        return _Charged(cost, budget, lambda _units: None)

    async def connections_max(self, context: Context) -> int:
        """Sockets and event streams that the tenant may have open on one process."""
        return (await self.allowance(context)).sockets_max

    async def allowance(self, context: Context) -> Allowance:
        """What the caller of this operation may use."""
        if context.principal is None:
            return UNPROVEN
        if context.principal.kind == PAYER:
            return PAYERS
        if isinstance(context, OwnerContext):
            return STAFF
        if time.monotonic() - self._loaded_at > TIERS_REFRESH_S:
            self._loaded_at = time.monotonic()
            self._tiers = await self._load_tiers()
        tenant = context.bound_tenant
        return SMALLEST if tenant is None else self._tiers.get(tenant.ref.tier, SMALLEST)


def tiers_of(owner: OwnerDatabase) -> LoadTiers:
    """Reads the allowances of all tiers from the owner database."""

    async def load() -> Mapping[str, Allowance]:
        async with owner.reading() as session:
            tiers = await session.scalars(select(Tier))
            return {
                tier.code: Allowance(tier.request_units_capacity, tier.request_units_per_s, tier.sockets_max)
                for tier in tiers
            }

    return load
