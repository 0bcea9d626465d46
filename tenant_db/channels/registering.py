"""Where the registration of a channel's URLs for payments by hand stands."""

from datetime import datetime
from uuid import UUID

from core.ids import Kind, outside
from core.phone import Phone
from tenancy.audit import SYSTEM, record_audit
from tenancy.sessions import TenantSession
from tenant_db.channels.errors import ChannelHasNoKeys
from tenant_db.channels.locking import lock_channel, tell
from tenant_db.channels.machine import ChannelStatus, UrlsState
from tenant_db.channels.models import Channel

NOTE_CHARACTERS_MAX = 300


async def request_urls(session: TenantSession, channel_id: UUID, pull_phone: Phone | None = None) -> Channel:
    """Mark the URLs as to be registered. The caller announces `register_channel_urls` on `platform`.

    With `pull_phone` M-Pesa is to list the payments as well, under that nominated number.

    Raises:
        NotFound: no such channel.
        ChannelHasNoKeys: M-Pesa can't be asked.
    """
    channel = await lock_channel(session, channel_id)
    if channel.status == ChannelStatus.DRAFT:
        raise ChannelHasNoKeys
    channel.urls_state = UrlsState.REQUESTED.value
    channel.urls_note = None
    if pull_phone is not None:
        channel.pull_phone = pull_phone.e164
    tell(session, channel)
    return channel


async def urls_registered(session: TenantSession, channel_id: UUID, digest: bytes, now: datetime) -> None:
    """M-Pesa took our URLs; `digest` is the SHA-256 of both."""
    await _ended(session, channel_id, UrlsState.REGISTERED, None, now, digest)


async def urls_standing(
    session: TenantSession, channel_id: UUID, digest: bytes, elsewhere: str, now: datetime
) -> None:
    """M-Pesa has URLs already: they are ours where it took the same ones from us before."""
    channel = await lock_channel(session, channel_id)
    if channel.urls_digest == digest:
        await _ended(session, channel_id, UrlsState.REGISTERED, None, now, digest)
    else:
        await _ended(session, channel_id, UrlsState.ELSEWHERE, elsewhere, now, channel.urls_digest)


async def urls_refused(session: TenantSession, channel_id: UUID, why: str) -> None:
    """M-Pesa did not take them, and said why."""
    channel = await lock_channel(session, channel_id)
    if channel.urls_state == UrlsState.REGISTERED:
        # What stands goes on standing.
        return
    channel.urls_state = UrlsState.REFUSED.value
    channel.urls_note = why[:NOTE_CHARACTERS_MAX]
    tell(session, channel)


async def _ended(  # noqa: PLR0917 - one row's columns
    session: TenantSession,
    channel_id: UUID,
    state: UrlsState,
    note: str | None,
    now: datetime,
    digest: bytes | None,
) -> None:
    channel = await lock_channel(session, channel_id)
    channel.urls_state = state.value
    channel.urls_note = note
    channel.urls_digest = digest
    channel.urls_at = now
    subject = outside(Kind.CHANNEL, channel.id)
    record_audit(session, SYSTEM, f"urls_{state.value}", subject=subject, reason=note)
    tell(session, channel)
