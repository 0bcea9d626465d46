"""Verification of a channel: started by the tenant, decided by a job that asked the provider."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import exists, select

from core.ids import Kind, outside
from tenancy.audit import SYSTEM, record_audit
from tenancy.sessions import TenantSession
from tenant_db.channels.errors import ChannelHasNoKeys, ChannelStillActive
from tenant_db.channels.locking import lock_channel, tell
from tenant_db.channels.machine import PROOF_KEYS, ChannelStatus
from tenant_db.channels.models import Channel
from tenant_db.credentials.models import ProviderAccount, SealedSecret
from tenant_db.credentials.names import SecretName

REFUSAL_CHARACTERS_MAX: Final = 500


async def start_verification(session: TenantSession, channel_id: UUID) -> Channel:
    """Mark the channel as being verified. The caller announces `verify_channel` on `platform`.

    Started again while one runs, it changes nothing: the job may be run twice.

    Raises:
        NotFound: no such channel.
        ChannelHasNoKeys: nothing was given to verify.
        ChannelStillActive: it collects, or is suspended and would.
    """
    channel = await lock_channel(session, channel_id)
    if channel.status in (ChannelStatus.ACTIVE, ChannelStatus.SUSPENDED):
        raise ChannelStillActive
    if channel.status == ChannelStatus.DRAFT and not await _has_keys(session, channel):
        raise ChannelHasNoKeys
    if channel.status != ChannelStatus.VERIFYING:
        channel.advance(ChannelStatus.VERIFYING)
        channel.refusal = None
        tell(session, channel)
    return channel


async def record_verified(
    session: TenantSession, channel_id: UUID, secrets_version: int, now: datetime, proof: str = PROOF_KEYS
) -> bool:
    """Record that the provider took the secrets of `secrets_version`; for the job.

    A channel that activates itself collects from then on. False where it no longer matters: the
    secrets were replaced meanwhile, or it was recorded before.
    """
    channel = await _awaited(session, channel_id, secrets_version)
    if channel is None:
        return False
    channel.advance(ChannelStatus.VERIFIED)
    channel.proof = proof
    channel.verified_at = now
    channel.refusal = None
    _report(session, channel, "channel_verified")
    if channel.activates_itself:
        channel.advance(ChannelStatus.ACTIVE)
        _report(session, channel, "channel_activated")
    return True


async def record_refused(session: TenantSession, channel_id: UUID, secrets_version: int, why: str) -> bool:
    """Record why verification failed, in words for the tenant; for the job. False as `record_verified`."""
    channel = await _awaited(session, channel_id, secrets_version)
    if channel is None:
        return False
    channel.advance(ChannelStatus.REFUSED)
    channel.proof = channel.verified_at = None
    channel.refusal = why[:REFUSAL_CHARACTERS_MAX]
    _report(session, channel, "channel_refused")
    return True


async def _has_keys(session: TenantSession, channel: Channel) -> bool:
    found = exists().where(
        SealedSecret.provider_account_id == channel.provider_account_id,
        SealedSecret.name == SecretName.CONSUMER_KEY.value,
    )
    return bool(await session.scalar(select(found)))


async def _awaited(session: TenantSession, channel_id: UUID, secrets_version: int) -> Channel | None:
    channel = await lock_channel(session, channel_id)
    # Read under the channel's lock: whoever replaces secrets holds it.
    version = await session.scalar(
        select(ProviderAccount.secrets_version).where(ProviderAccount.id == channel.provider_account_id)
    )
    is_awaited = channel.status == ChannelStatus.VERIFYING and version == secrets_version
    return channel if is_awaited else None


def _report(session: TenantSession, channel: Channel, action: str) -> None:
    record_audit(session, SYSTEM, action, subject=outside(Kind.CHANNEL, channel.id), reason=channel.refusal)
    tell(session, channel)
