"""Registering trusted documents."""

from hashlib import sha256

from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.ids import new_id
from owner_db.documents.models import PersistedDocument
from tenancy.sessions import OwnerSession


async def register_document(session: OwnerSession, audience: str, text: str) -> str:
    """Let clients name a checked document by its SHA-256, returned in hex; a repeat changes nothing."""
    digest = sha256(text.encode()).hexdigest()
    await session.execute(
        insert(PersistedDocument)
        .values(id=new_id(), created_at=utc_now(), sha256=digest, audience=audience, text=text)
        .on_conflict_do_nothing(index_elements=["audience", "sha256"])
    )
    return digest
