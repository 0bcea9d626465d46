"""Asks M-Pesa for payments by hand whose confirmation was missed, night by night."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select

from integrations.account import NotConfigured
from integrations.errors import ProviderRejected, ProviderUnavailable
from integrations.mpesa.client import MpesaClient
from integrations.mpesa.told import C2BConfirmation
from jobs.payment_asking import ASK_PAUSE_MAX_S
from jobs.payment_calls import nothing, record
from jobs.providers import Providers, Route
from jobs.work import Done, Handler, Later, Result, Work, backoff
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.channels.models import Channel
from tenant_db.payments.matching import NewConfirmation, settle_by_confirmation

PULL: Final = "pull_channel"
QUEUE: Final = "platform"
LOOK_BACK: Final = timedelta(hours=47)
"""M-Pesa lists the last 48 hours."""
STILL_MOVING: Final = timedelta(minutes=10)
"""What is younger may still be told by its confirmation."""

log = structlog.get_logger()


def pull_handlers(providers: Providers) -> list[Handler]:
    """The job that pulls one channel's payments."""

    async def pull(work: Work) -> Result:
        return await pull_channel(work, providers)

    return [Handler(PULL, pull)]


async def announce_pulls(session: TenantSession) -> None:
    """Leave a look at each channel that M-Pesa lets us pull."""
    channels = await session.scalars(select(Channel.id).where(Channel.pull_phone.is_not(None)))
    for channel_id in channels.all():
        announce(session, PULL, queue=QUEUE, channel_id=str(channel_id))


async def pull_channel(work: Work, providers: Providers) -> Result:
    """Settle what M-Pesa's list has and nobody told us: each receipt counts once. Again is harmless."""
    channel_id = UUID(work.payload["channel_id"])
    until = work.services.clock() - STILL_MOVING
    try:
        route = await providers.route_of_channel(work.tenant, channel_id, work.kind)
        if not isinstance(route.adapter, MpesaClient):
            return Done()
        async for payment in route.adapter.puller().payments(until - LOOK_BACK, until):
            await _settle(work, channel_id, payment)
    except (NotConfigured, ProviderRejected) as lack:
        log.warning("channel_not_pulled", why=str(lack))
        return Done()
    except ProviderUnavailable as error:
        await _keep_calls(work, route, channel_id)
        return Later(backoff(work.attempt, max_s=ASK_PAUSE_MAX_S), error.message)
    await _keep_calls(work, route, channel_id)
    return Done()


async def _settle(work: Work, channel_id: UUID, payment: C2BConfirmation) -> None:
    now = work.services.clock()
    new = NewConfirmation(
        channel_id=channel_id,
        short_code=payment.short_code,
        receipt=payment.receipt,
        amount=payment.amount,
        account=payment.reference,
        payer=payment.phone_masked,
        paid_at=payment.occurred_at or now,
    )
    async with work.tenant.transaction() as session:
        settled = await settle_by_confirmation(session, new, now)
    log.debug("payment_pulled", verdict=settled.verdict.value)


async def _keep_calls(work: Work, route: Route, channel_id: UUID) -> None:
    await record(work, route, channel_id, nothing)
