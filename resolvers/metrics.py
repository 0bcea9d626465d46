"""Figures of a business's payments, for charts."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from core.periods import Period
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.metrics import measuring
from tenant_db.metrics.measuring import CallFigures, PaymentFigures, Wanted


async def payment_figures(context: TenantContext, wanted: Wanted) -> Sequence[PaymentFigures]:
    """Payments of a period, counted. Needs payments:read.

    Raises:
        InvalidInput: more than can be counted at once.
    """
    context.require(Scope.PAYMENTS_READ)
    async with context.tenant.reading() as session:
        return await measuring.payment_figures(session, wanted)


async def call_figures(context: TenantContext, period: Period, zone: ZoneInfo) -> Sequence[CallFigures]:
    """Calls to providers in a period, counted. Needs channels:read.

    Raises:
        InvalidInput: more than can be counted at once.
    """
    context.require(Scope.CHANNELS_READ)
    async with context.tenant.reading() as session:
        return await measuring.call_figures(session, period, zone)
