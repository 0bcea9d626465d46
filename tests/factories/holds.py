"""A hold on a payout, and what may become of it."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.currency import Currency
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.ledger.commands import NewHold, PostHold, VoidHold
from tenant_db.ledger.holding import expire_due, place_hold, post_hold, void_hold
from tenant_db.ledger.models import Hold
from tenant_db.ledger.results import Held, Posted
from tenant_db.ledger.rules import TransferKind
from tests.factories.ledger import NOW, make_account

END: Final = NOW + timedelta(minutes=10)
"""Of the time of each hold."""


def kes(amount_minor: int) -> Money:
    return Money(amount_minor, Currency.KES)


async def hold_ends(tenant: Tenant, balance_minor: int = 1_000) -> tuple[UUID, UUID]:
    source = await make_account(tenant, "store:one", balance_minor=balance_minor, floor_minor=0)
    return source, await make_account(tenant, "payouts:in_flight")


def a_hold(ends: tuple[UUID, UUID], amount_minor: int = 600, key: str = "payout:1") -> NewHold:
    details = {"phone": "…001"}
    return NewHold(
        ends[0], ends[1], kes(amount_minor), TransferKind.PAYOUT, "pout_1", key, END, details=details
    )


async def placed(tenant: Tenant, new: NewHold) -> Held:
    async with tenant.transaction() as session:
        return await place_hold(session, new, NOW)


def posting(
    tenant: Tenant, held: Held, part: Money | None = None, now: datetime = NOW
) -> Callable[[], Awaitable[Posted | Held | int]]:
    async def run() -> Posted:
        async with tenant.transaction() as session:
            return await post_hold(session, PostHold(held.id, part), now)

    return run


def voiding(tenant: Tenant, held: Held, now: datetime = NOW) -> Callable[[], Awaitable[Posted | Held | int]]:
    async def run() -> Held:
        async with tenant.transaction() as session:
            return await void_hold(session, VoidHold(held.id), now)

    return run


def expiring(tenant: Tenant, now: datetime = END) -> Callable[[], Awaitable[Posted | Held | int]]:
    async def run() -> int:
        async with tenant.transaction() as session:
            return await expire_due(session, now)

    return run


async def row_of(tenant: Tenant, held: Held) -> Hold:
    async with tenant.reading() as session:
        found = await session.execute(select(Hold).where(Hold.id == held.id))
        return found.scalar_one()
