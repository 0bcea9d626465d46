"""Requests of an operator that M-Pesa answers later: written before they are sent, ended once."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from tenancy.sessions import TenantSession
from tenant_db.channels.machine import RequestKind, RequestState
from tenant_db.channels.models import ProviderRequest


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What an operator will be asked."""

    kind: RequestKind
    channel_id: UUID
    subject_id: UUID
    item_hash: bytes
    deadline_at: datetime
    details: dict[str, str | int] = field(default_factory=dict)


async def open_request(session: TenantSession, new: NewRequest) -> ProviderRequest:
    """Write it before it is sent, so that its answer finds it however early it comes."""
    row = ProviderRequest(
        kind=new.kind.value,
        channel_id=new.channel_id,
        subject_id=new.subject_id,
        item_hash=new.item_hash,
        state=RequestState.SENDING.value,
        details=dict(new.details),
        deadline_at=new.deadline_at,
    )
    session.add(row)
    await session.flush()
    return row


async def request_taken(
    session: TenantSession, request_id: UUID, conversation_id: str, originator_conversation_id: str
) -> None:
    """Keep the provider's ids; an answer that came before them stays as it is."""
    row = await lock_request(session, request_id)
    row.conversation_id = conversation_id
    row.originator_conversation_id = originator_conversation_id
    if row.state == RequestState.SENDING:
        row.state = RequestState.WAITING.value


async def end_request(
    session: TenantSession, request_id: UUID, to: RequestState, now: datetime, *, code: str, message: str
) -> bool:
    """End an open request; False where it has ended before."""
    row = await lock_request(session, request_id)
    if row.state not in (RequestState.SENDING, RequestState.WAITING):
        return False
    row.state = to.value
    row.code, row.message, row.answered_at = code, message, now
    return True


async def request_of_item(session: TenantSession, item_hash: bytes) -> ProviderRequest | None:
    """The request whose result URL has this secret part."""
    return await session.scalar(select(ProviderRequest).where(ProviderRequest.item_hash == item_hash))


async def lock_request(session: TenantSession, request_id: UUID) -> ProviderRequest:
    """Lock a request and read it anew; jobs name requests that exist."""
    return await session.get_one(ProviderRequest, request_id, with_for_update=True, populate_existing=True)
