"""`hazina documents`: the GraphQL documents that our own clients may name by their hash."""

from collections.abc import Sequence
from pathlib import Path

from owner_db.documents.registering import register_document
from schema.trusting import require_runnable
from server.compose import Process
from tenancy.audit import OPERATOR, record_audit


async def trust_documents(here: Process, which: str, texts: Sequence[tuple[Path, str]]) -> Sequence[str]:
    """Register documents of one schema, all or none; gives their hashes.

    Raises:
        InvalidInput: one of them does not run; none was registered.
    """
    for _, text in texts:
        require_runnable(which, text)
    async with here.services.owner.transaction() as session:
        hashes = [await register_document(session, which, text) for _, text in texts]
        record_audit(session, OPERATOR, "trust_documents", details={"sha256": hashes})
    return hashes
