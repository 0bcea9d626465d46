"""Figures of all tenants' payments, for the platform's staff."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from owner_db.metrics import recording
from owner_db.metrics.recording import DayCalls, Grouping, PlatformFigures
from tenancy.context import OwnerContext
from tenancy.roles import Scope


async def platform_payment_figures(
    context: OwnerContext, first: date, last: date, by: Sequence[Grouping], tenant_id: UUID | None
) -> Sequence[PlatformFigures]:
    """Payments of some days, added up. Needs platform:read.

    Raises:
        InvalidInput: more than can be added up at once.
    """
    context.require(Scope.PLATFORM_READ)
    async with context.services.owner.reading() as session:
        return await recording.platform_figures(session, first, last, by, tenant_id)


async def platform_call_figures(context: OwnerContext, first: date, last: date) -> Sequence[DayCalls]:
    """Calls to providers of some days, added up. Needs platform:read.

    Raises:
        InvalidInput: more than can be added up at once.
    """
    context.require(Scope.PLATFORM_READ)
    async with context.services.owner.reading() as session:
        return await recording.platform_calls(session, first, last)
