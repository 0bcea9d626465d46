"""Long lists in variables are read as graphql-core and Strawberry read them, only faster."""

from typing import Any, Final, cast

import pytest
from graphql import GraphQLError, parse
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.types import get_object_definition

from schema.exchange import Outcome, Request
from schema.inputs import LONG, Aside, long_lists, set_aside
from schema.limits import operations
from schema.operations import Operations, Serving
from tests.schema.toy import LineInput, ToyContext, free, toy_schema

TOY: Final = toy_schema()
SCHEMA: Final = TOY._schema  # noqa: SLF001 - Strawberry has no public name for it
TEXT: Final = "query ($input: OrderInput!, $more: [LineInput!]) { lines(input: $input, more: $more) }"
DOCUMENT: Final = parse(TEXT)
[OPERATION] = operations(DOCUMENT)
PLACES: Final = long_lists(SCHEMA, OPERATION)
GOOD: Final = {"name": "drum", "mood": "LOUD"}

TEXTS = st.text(max_size=3)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS, st.just([]), st.just({})
)
MONEY = st.fixed_dictionaries(
    {"amountMinor": st.sampled_from(["1250", 12, "1.5", "x"]), "currency": st.sampled_from(["KES", "XXX"])}
)
LINES = st.fixed_dictionaries(
    {"name": st.one_of(TEXTS, TEXTS, ODD), "mood": st.one_of(st.sampled_from(["LOUD", "CALM"]), ODD)},
    optional={
        "id": st.one_of(TEXTS, ODD),
        "price": st.one_of(MONEY, ODD),
        "madeAt": st.one_of(st.just("2026-01-01T00:00:00Z"), ODD),
        "tags": st.one_of(st.lists(TEXTS, max_size=2), ODD),
        "weight": st.one_of(st.integers(), ODD),
        "isNew": ODD,
        "unknown": ODD,
    },
)


def wanted(variables: dict[str, Any]) -> dict[str, Any] | list[str]:
    """What graphql-core makes of variables, or what it says is wrong with them."""
    return told(get_variable_values(SCHEMA, OPERATION.variable_definitions or (), variables))


def ours(variables: dict[str, Any]) -> dict[str, Any] | list[str]:
    aside = set_aside(PLACES, variables)
    made = get_variable_values(SCHEMA, OPERATION.variable_definitions or (), aside.variables)
    if isinstance(made, VariableValues):
        aside.put_back(made.coerced)
    return told(made)


def told(made: VariableValues | list[GraphQLError]) -> dict[str, Any] | list[str]:
    return made.coerced if isinstance(made, VariableValues) else [error.message for error in made]


@settings(max_examples=300, deadline=None)
@given(LINES, st.booleans())
def test_what_is_read_is_what_graphql_core_reads(line: dict[str, Any], is_within: bool) -> None:  # noqa: FBT001 - drawn
    lines = [*[GOOD] * LONG, line]
    variables: dict[str, Any] = (
        {"input": {"lines": lines}} if is_within else {"input": {"lines": []}, "more": lines}
    )

    assert ours(variables) == wanted(variables)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"input": None},
        {"input": {"lines": None}},
        {"input": {"lines": GOOD}},
        {"input": {"lines": "many"}},
        {"input": [[GOOD] * LONG]},
        {"input": {"lines": [GOOD] * LONG, "note": 7}},
        {"input": {"lines": [GOOD] * LONG}, "more": [None] * LONG},
    ],
)
def test_what_is_odd_is_told_as_graphql_core_tells_it(variables: dict[str, Any]) -> None:
    assert ours(variables) == wanted(variables)


def test_what_is_wrong_beside_a_list_is_told_without_it() -> None:
    (message,) = ours({"input": {"lines": [GOOD] * LONG, "unknown": 7}})

    assert message.endswith("not to include unknown field 'unknown', found: {'lines': [], 'unknown': 7}.")


def test_long_lists_never_reach_graphql_core() -> None:
    many = [GOOD] * LONG

    aside = set_aside(PLACES, {"input": {"lines": many, "note": "a"}, "more": many})

    assert isinstance(aside, Aside)
    assert aside.variables == {"input": {"lines": [], "note": "a"}, "more": []}


def test_the_variables_of_the_request_stay_as_they_were() -> None:
    variables = {"input": {"lines": [GOOD] * LONG}}

    set_aside(PLACES, variables)

    assert len(variables["input"]["lines"]) == LONG


@pytest.mark.parametrize("length", [1, LONG])
async def test_resolvers_get_the_same_objects_either_way(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = {
        **GOOD,
        "price": {"amountMinor": "1250", "currency": "KES"},
        "madeAt": "2026-01-01T00:00:00Z",
        "tags": ["a"],
        "id": None,
    }
    variables = {"input": {"lines": [line] * length}, "more": [GOOD] * length}
    quick = await answer(variables)
    definition = get_object_definition(LineInput, strict=True)
    monkeypatch.setattr(definition, "from_input", None)

    slow = await answer(variables)

    assert quick.errors == []
    assert quick.body["data"] == slow.body["data"]
    assert len(cast("list[str]", quick.body["data"]["lines"])) == 2 * length


async def answer(variables: dict[str, Any]) -> Outcome:
    served: Operations[ToyContext] = Operations(TOY, Serving(charge=free))
    return await served.run(
        Request(TEXT, variables=variables), ToyContext(), frozenset({OPERATION.operation})
    )
