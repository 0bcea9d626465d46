"""Documents are read once, kept within bounds, and may be named by their hash."""

from hashlib import sha256

import pytest
from graphql import GraphQLError, OperationType

from schema import documents
from schema.documents import Accepted, Documents, Introspection, TrustedDocuments
from schema.exchange import Request
from schema.operations import READING_COST, Operations, Serving
from tenancy.errors import RateLimited
from tests.schema.toy import Free, ToyContext, free, toy_schema

TEXT = "{ toy { name } }"
ID = sha256(TEXT.encode()).hexdigest()
EVERYTHING = frozenset(OperationType)


def kept(introspection: Introspection = Introspection.REFUSED) -> Documents:
    return Documents(toy_schema()._schema, introspection, {})  # noqa: SLF001 - no public name


async def find(document_id: str) -> str | None:
    return TEXT if document_id == ID else None


def test_the_same_text_is_read_once() -> None:
    documents_ = kept()

    assert documents_.read(TEXT) is documents_.read(TEXT)


def test_a_broken_text_is_known_as_broken() -> None:
    documents_ = kept()

    assert documents_.read("{").errors
    assert documents_.read("{") is documents_.read("{")


def test_few_documents_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "ENTRIES_MAX", 2)
    documents_ = kept()
    first = documents_.read(TEXT)

    documents_.read("{ forks }")
    documents_.read("{ toy { id } }")

    assert documents_.read(TEXT) is not first


def test_long_documents_push_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "CHARACTERS_MAX", 100)
    documents_ = kept()
    first = documents_.read(TEXT)

    documents_.read("{ toy { id } } #" + "x" * 80)

    assert documents_.read(TEXT) is not first


def test_a_document_whose_selection_depends_on_variables_is_planned_each_time() -> None:
    assert kept().read("query ($y: Boolean!) { toy { name @skip(if: $y) } }").plans is None
    assert kept().read(TEXT).plans is not None


async def test_an_id_alone_runs_the_registered_text() -> None:
    operations = Operations(toy_schema(), Serving(free, find_document=find))

    outcome = await operations.run(Request(None, document_id=ID), ToyContext(), EVERYTHING)

    assert outcome.body["data"] == {"toy": {"name": "toy 1"}}


async def test_a_text_must_have_the_hash_it_is_sent_with() -> None:
    with pytest.raises(GraphQLError, match="SHA-256"):
        await TrustedDocuments(find, Accepted.ANY).text("{ forks }", ID)


async def test_an_unknown_id_is_refused_and_not_looked_up_again_at_once() -> None:
    looked_up: list[str] = []

    async def look_up(document_id: str) -> str | None:
        looked_up.append(document_id)
        return None

    trusted = TrustedDocuments(look_up, Accepted.ANY)
    for _ in range(3):
        with pytest.raises(GraphQLError, match="registered"):
            await trusted.text(None, "0" * 64)

    assert looked_up == ["0" * 64]


async def test_an_allow_list_lets_only_registered_texts_run() -> None:
    trusted = TrustedDocuments(find, Accepted.PERSISTED_ONLY)

    assert await trusted.text(TEXT, None) == TEXT
    assert await trusted.text(None, ID) == TEXT
    with pytest.raises(GraphQLError, match="Only registered"):
        await trusted.text("{ forks }", None)
    with pytest.raises(GraphQLError, match="registered"):
        await trusted.text("{ forks }", sha256(b"{ forks }").hexdigest())


async def test_introspection_is_allowed_where_it_is_on() -> None:
    assert not kept(Introspection.ALLOWED).read("{ __schema { queryType { name } } }").errors
    assert kept(Introspection.REFUSED).read("{ __schema { queryType { name } } }").errors


@pytest.mark.parametrize("accepted", list(Accepted))
async def test_a_look_for_an_unknown_document_is_charged_before_it(accepted: Accepted) -> None:
    charged: list[int] = []

    async def charge(_context: ToyContext, cost: int) -> Free:
        charged.append(cost)
        raise RateLimited(1)

    async def look_up(_document_id: str) -> str | None:
        raise AssertionError("nobody has paid for this look")

    operations = Operations(toy_schema(), Serving(charge, accepted=accepted, find_document=look_up))
    by_id = await operations.run(Request(None, document_id="0" * 64), ToyContext(), EVERYTHING)
    by_text = await operations.run(Request(TEXT), ToyContext(), EVERYTHING)

    assert (by_id.code, by_text.code) == ("RATE_LIMITED", "RATE_LIMITED")
    assert charged == [READING_COST, READING_COST]
