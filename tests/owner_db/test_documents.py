from hashlib import sha256

import pytest
from sqlalchemy import func, select

from core.errors import InvalidInput
from owner_db.documents.models import PersistedDocument
from owner_db.documents.registering import register_document
from schema.trusting import require_runnable
from tenancy.sessions import OwnerDatabase

TEXT = "query Mine { payments(first: 1) { nodes { id } } }"


async def test_a_document_is_known_by_its_hash_and_once_in_each_schema(owner: OwnerDatabase) -> None:
    async with owner.transaction() as session:
        digests = {await register_document(session, "tenant", TEXT) for _ in range(2)}
        digests.add(await register_document(session, "owner", TEXT))

    assert digests == {sha256(TEXT.encode()).hexdigest()}
    async with owner.reading() as session:
        assert await session.scalar(select(func.count()).select_from(PersistedDocument)) == 2


def test_what_runs_may_be_trusted() -> None:
    require_runnable("tenant", TEXT)


@pytest.mark.parametrize(
    ("which", "text", "why"),
    [
        ("tenant", "query {", "Syntax Error"),
        ("tenant", "{ nothing }", "Cannot query field"),
        ("owner", TEXT, "Cannot query field"),
        ("tenant", "{ __schema { types { name } } }", "introspection"),
    ],
)
def test_what_does_not_run_is_refused(which: str, text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        require_runnable(which, text)
