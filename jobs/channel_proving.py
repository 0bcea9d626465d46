"""What a channel's proof leads to: its short code is claimed, its URLs are registered, it may collect."""

from hashlib import sha256
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select

from core.phone import Phone
from integrations.account import NotConfigured
from integrations.errors import ProviderRejected, ProviderUnavailable
from integrations.mpesa.client import MpesaClient, Registration
from jobs.providers import Providers, Route
from jobs.work import Work
from owner_db.tenants.short_codes import claim_short_code
from tenant_db.channels import registering, verifying
from tenant_db.channels.machine import PROOF_BALANCE
from tenant_db.channels.models import Channel
from tenant_db.credentials.names import SecretName

TAKEN: Final = "Another business has verified this short code. Contact support."
NO_RESULT: Final = "M-Pesa took the request and told no result in time. Try again later."
ELSEWHERE: Final = (
    "M-Pesa has other URLs for this short code. Have them removed on the Daraja portal or by support, "
    "then register again."
)

log = structlog.get_logger()


async def accept_channel(
    work: Work, providers: Providers, channel_id: UUID, secrets_version: int, proof: str = PROOF_BALANCE
) -> None:
    """Record a proof; what it needs of M-Pesa is asked with the keys as they are now."""
    route = await providers.route_of_channel(work.tenant, channel_id, work.kind)
    await accept_route(work, route, channel_id, secrets_version, proof)


async def accept_route(work: Work, route: Route, channel_id: UUID, secrets_version: int, proof: str) -> None:
    """As `accept_channel`, by a route that was opened before.

    A production short code is then this tenant's alone. On the provider's sandbox, where it may be
    done again and again, our URLs for payments made by hand are registered too.
    """
    async with work.tenant.reading() as session:
        rows = await session.execute(
            select(Channel.environment, Channel.short_code).where(Channel.id == channel_id)
        )
        environment, short_code = rows.one()
    if environment == "production" and not await _claim(work, route, short_code, channel_id):
        await _keep_calls(work, route, channel_id)
        await refuse_channel(work, channel_id, secrets_version, TAKEN)
        return
    if environment == "sandbox":
        await register_urls(work, route, channel_id)
    async with work.tenant.transaction() as session:
        route.calls.write(session, channel_id)
        now = work.services.clock()
        await verifying.record_verified(session, channel_id, secrets_version, now, proof)
    route.calls.forget()


async def refuse_channel(work: Work, channel_id: UUID, secrets_version: int, why: str) -> None:
    """Record why a channel is not proven."""
    async with work.tenant.transaction() as session:
        await verifying.record_refused(session, channel_id, secrets_version, why)


async def register_urls(work: Work, route: Route, channel_id: UUID) -> None:
    """Have payments by hand told to us, and write down how that ended; it proves nothing of the keys.

    Production takes URLs once: where some stand already, they are ours only if ours were taken before.

    Raises:
        Nothing of the provider's: its refusals are written down for the tenant.
    """
    base = f"{work.services.policy.public_url}/hooks"
    try:
        urls = (
            f"{base}/{route.secret(SecretName.CONFIRMATION_TOKEN)}",
            f"{base}/{route.secret(SecretName.VALIDATION_TOKEN)}",
        )
        ended = await _mpesa(route).register_urls(*urls, "Completed")
        await _register_pull(work, route, channel_id, urls[0])
    except (NotConfigured, ProviderRejected, ProviderUnavailable) as error:
        log.warning("urls_not_registered", why=str(error))
        async with work.tenant.transaction() as session:
            await registering.urls_refused(session, channel_id, str(error))
        return
    digest = sha256("\n".join(urls).encode()).digest()
    log.info("urls_registered", result=ended.name.lower())
    async with work.tenant.transaction() as session:
        now = work.services.clock()
        if ended is Registration.DONE:
            await registering.urls_registered(session, channel_id, digest, now)
        else:
            await registering.urls_standing(session, channel_id, digest, ELSEWHERE, now)


async def _register_pull(work: Work, route: Route, channel_id: UUID, url: str) -> None:
    async with work.tenant.reading() as session:
        phone = (await session.get_one(Channel, channel_id)).pull_phone
    if phone is not None:
        await _mpesa(route).puller().register(Phone(phone), url)


def _mpesa(route: Route) -> MpesaClient:
    if not isinstance(route.adapter, MpesaClient):
        raise NotConfigured("the account is not M-Pesa's")
    return route.adapter


async def _claim(work: Work, route: Route, short_code: str, channel_id: UUID) -> bool:
    async with work.services.owner.transaction() as session:
        return await claim_short_code(session, route.account.provider, short_code, work.tenant.id, channel_id)


async def _keep_calls(work: Work, route: Route, channel_id: UUID) -> None:
    async with work.tenant.transaction() as session:
        route.calls.write(session, channel_id)
    route.calls.forget()
