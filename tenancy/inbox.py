"""What others sent us, stored raw and each once before anything is made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.ids import new_id
from tenancy.columns import InboxColumns
from tenancy.sessions import OwnerSession, TenantSession
from tenancy.shapes import model_of


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One message as it arrived."""

    source: str
    """Who sent it: `mpesa:{channel id}`."""
    kind: str
    """Which of the provider's messages it is: `stk_result`, `c2b_confirmation`."""
    external_id: str
    """What the sender calls it; the same one again is a duplicate."""
    headers: Mapping[str, str]
    body: bytes
    """The bytes as received, before any parsing."""
    item_hash: bytes | None = None
    """SHA-256 of the URL's item token, where the URL had one."""


async def store(session: OwnerSession | TenantSession, new: NewMessage, **extra: object) -> UUID | None:
    """Keep one message; None where the same source sent this `external_id` before.

    `extra` are columns that only this database's inbox has: the owner's wants `tenant_id`.
    """
    values = {
        "id": new_id(),
        "created_at": utc_now(),
        "source": new.source,
        "kind": new.kind,
        "external_id": new.external_id,
        "item_hash": new.item_hash,
        "headers": dict(new.headers),
        "body": new.body,
        "state": "received",
        **extra,
    }
    model = model_of(session, InboxColumns)
    return await session.scalar(
        insert(model)
        .values(values)
        .on_conflict_do_nothing(index_elements=["source", "external_id"])
        .returning(model.id)
    )
