"""Proves a channel's keys to be right, by asking the provider."""

from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select

from integrations.account import NotConfigured, Outside
from integrations.errors import ProviderRejected, ProviderUnavailable
from integrations.mpesa.building import mpesa_client
from jobs.providers import Providers, Route
from jobs.work import Done, Handler, Later, Result, Work, backoff
from owner_db.tenants.short_codes import claim_short_code
from tenant_db.channels import verifying
from tenant_db.channels.models import Channel
from tenant_db.credentials.names import SecretName

VERIFY_ATTEMPTS_MAX: Final = 6
VERIFY_RETRY_MAX_S: Final = 20.0
"""Somebody watches: after a minute or two it is better to say that it did not work."""
UNREACHABLE: Final = "M-Pesa could not be reached. Verify the channel again later."
TAKEN: Final = "Another business has verified this short code. Contact support."

log = structlog.get_logger()


def channel_handlers(providers: Providers) -> list[Handler]:
    """The jobs of channels, by way of `providers`."""

    async def verify(work: Work) -> Result:
        return await verify_channel(work, providers)

    # One more run than is used, so that the last one can write down that it gave up.
    return [Handler("verify_channel", verify, attempts_max=VERIFY_ATTEMPTS_MAX + 1)]


async def verify_channel(work: Work, providers: Providers) -> Result:
    """Prove the keys by a token and a query for an invented prompt; no money moves.

    A production short code is then this tenant's alone. On the provider's sandbox, where it may be
    done again and again, our URLs for payments made by hand are registered too.
    """
    channel_id = UUID(work.payload["channel_id"])
    try:
        route = await providers.route_of_channel(work.tenant, channel_id, work.kind)
        await route.adapter.prove_keys()
    except NotConfigured as lack:
        # Without opened secrets there is no version to record it for: whoever mends it starts again.
        return Later(backoff(work.attempt), str(lack))
    except ProviderRejected as refusal:
        return await _refuse(work, route, channel_id, refusal.message)
    except ProviderUnavailable as error:
        if work.attempt >= VERIFY_ATTEMPTS_MAX:
            return await _refuse(work, route, channel_id, UNREACHABLE)
        await _keep_calls(work, route, channel_id)
        return Later(backoff(work.attempt, max_s=VERIFY_RETRY_MAX_S), error.message)
    return await _accept(work, route, channel_id, providers.outside)


async def _accept(work: Work, route: Route, channel_id: UUID, outside: Outside) -> Result:
    async with work.tenant.reading() as session:
        rows = await session.execute(
            select(Channel.environment, Channel.short_code).where(Channel.id == channel_id)
        )
        environment, short_code = rows.one()
    if environment == "production" and not await _claim(work, route, short_code, channel_id):
        return await _refuse(work, route, channel_id, TAKEN)
    if environment == "sandbox":
        await _register_urls(work, route, outside)
    async with work.tenant.transaction() as session:
        route.calls.write(session, channel_id)
        now = work.services.clock()
        await verifying.record_verified(session, channel_id, route.secrets.version, now)
    return Done()


async def _claim(work: Work, route: Route, short_code: str, channel_id: UUID) -> bool:
    async with work.services.owner.transaction() as session:
        return await claim_short_code(session, route.account.provider, short_code, work.tenant.id, channel_id)


async def _register_urls(work: Work, route: Route, outside: Outside) -> None:
    """Have payments by hand told to us; that it fails does not make the keys wrong."""
    base = f"{work.services.policy.public_url}/hooks"
    try:
        client = mpesa_client(route.account, outside, route.calls)
        result = await client.register_urls(
            f"{base}/{route.secret(SecretName.CONFIRMATION_TOKEN)}",
            f"{base}/{route.secret(SecretName.VALIDATION_TOKEN)}",
            "Completed",
        )
    except (NotConfigured, ProviderRejected, ProviderUnavailable) as error:
        log.warning("urls_not_registered", why=str(error))
        return
    log.info("urls_registered", result=result.name.lower())


async def _refuse(work: Work, route: Route, channel_id: UUID, why: str) -> Result:
    async with work.tenant.transaction() as session:
        route.calls.write(session, channel_id)
        await verifying.record_refused(session, channel_id, route.secrets.version, why)
    return Done()


async def _keep_calls(work: Work, route: Route, channel_id: UUID) -> None:
    async with work.tenant.transaction() as session:
        route.calls.write(session, channel_id)
