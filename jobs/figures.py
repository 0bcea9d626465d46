"""Looks how each tenant fares: copies its figures for the platform, and tells of channels that fail."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from core.clock import Clock
from core.periods import Period
from jobs.cron import Periodic
from jobs.run import UNREACHABLE
from owner_db.metrics.recording import DayCalls, DayFigures, keep_figures
from owner_db.tenants.walking import settling_tenants
from tenancy.engines import Tenants
from tenancy.sessions import OwnerDatabase, Tenant
from tenant_db.channels.alarming import watch_channels
from tenant_db.metrics.measuring import Wanted, call_figures, payment_figures
from tenant_db.metrics.rules import Dimension

COLLECT_EVERY_S: Final = 900.0
DAYS_AGAIN: Final = 8
"""Days that are counted again each time: payments are followed for so long."""
AT_ONCE: Final = 4
_ZONE: Final = ZoneInfo("UTC")

log = structlog.get_logger()


class Figures:
    """Visits each tenant in its turn."""

    def __init__(self, owner: OwnerDatabase, tenants: Tenants, clock: Clock) -> None:
        """`tenants` lease connections of the sweeps' own."""
        self._owner = owner
        self._tenants = tenants
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_ONCE)

    def schedule(self) -> Sequence[Periodic]:
        return (Periodic("collect_figures", COLLECT_EVERY_S, self.collect),)

    async def collect(self) -> None:
        """Count the last days of every tenant again, and look after its channels."""
        async for batch in settling_tenants(self._owner):
            await asyncio.gather(*(self.collect_of(id_) for id_ in batch))

    async def collect_of(self, tenant_id: UUID) -> None:
        """As `collect`, of one tenant; one that can't be reached comes in the next round."""
        async with self._slots:
            try:
                tenant = await self._tenants.settling(tenant_id)
                await self._copy(tenant)
                async with tenant.transaction() as session:
                    await watch_channels(session, self._clock())
            except UNREACHABLE as error:
                log.warning("figures_pass_over", tenant=str(tenant_id), error=type(error).__name__)

    async def _copy(self, tenant: Tenant) -> None:
        today = self._clock().astimezone(UTC).date()
        days = [today - timedelta(days=ago) for ago in range(DAYS_AGAIN)]
        period = Period(_begins(days[-1]), _begins(today + timedelta(days=1)))
        async with tenant.reading() as session:
            wanted = Wanted(period, _ZONE, [Dimension.DAY, Dimension.PROVIDER])
            payments = [
                DayFigures(
                    figures.group[Dimension.DAY],
                    figures.group[Dimension.PROVIDER],
                    figures.currency,
                    figures.started,
                    figures.succeeded,
                    figures.failed,
                    figures.expired,
                    figures.cancelled,
                    figures.volume.minor,
                )
                for figures in await payment_figures(session, wanted)
            ]
            calls, errors = Counter[tuple[date, str]](), Counter[tuple[date, str]]()
            for counted in await call_figures(session, period, _ZONE):
                calls[counted.day, counted.provider] += counted.calls
                errors[counted.day, counted.provider] += counted.errors
        told = [
            DayCalls(day, provider, count, errors[day, provider]) for (day, provider), count in calls.items()
        ]
        async with self._owner.transaction() as session:
            await keep_figures(session, tenant.id, days, payments, told)


def _begins(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
