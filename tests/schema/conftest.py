"""Runs operations on the toy schema."""

from collections.abc import Awaitable, Callable

import pytest
from graphql import OperationType

from schema.documents import Introspection
from schema.exchange import Outcome, Request
from schema.operations import Operations, Serving
from tests.schema.toy import ToyContext, free, toy_schema

EVERYTHING = frozenset(OperationType)
Run = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def operations() -> Operations[ToyContext]:
    return Operations(toy_schema(), Serving(free, Introspection.REFUSED))


@pytest.fixture
def run(operations: Operations[ToyContext]) -> Run:
    """Runs one text with variables."""

    async def run_text(text: str, **variables: object) -> Outcome:
        return await operations.run(Request(text, variables=variables), ToyContext(), EVERYTHING)

    return run_text
