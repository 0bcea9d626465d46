"""Hostile documents are refused, and fast."""

import time
from collections.abc import Awaitable, Callable

import pytest
from graphql import OperationType, get_introspection_query

from schema.documents import Introspection
from schema.exchange import Outcome, Request
from schema.limits import ALIASES_MAX, DEPTH_MAX, REPEATS_MAX, ROOT_FIELDS_MAX
from schema.operations import Operations, Serving
from schema.sdl import SCHEMAS
from tests.schema.toy import ToyContext, free

Run = Callable[..., Awaitable[Outcome]]

FAST_S = 1.0
"""Of processor time. Up to minutes without our limits; some milliseconds with them, more when traced."""


def doubled_fragments(levels: int) -> str:
    fragments = " ".join(
        f"fragment F{level} on Toy {{ ...F{level + 1} ...F{level + 1} }}" for level in range(levels)
    )
    return f"{{ toy {{ ...F0 }} }} {fragments} fragment F{levels} on Toy {{ name }}"


TOO_COMPLEX = {
    "101 aliases": "{ " + " ".join(f"a{n}: forks" for n in range(101)) + " }",
    "aliases hidden in a fragment": "{ toy { ...F maker { name } } shelf { ...F } } fragment F on Toy { "
    + " ".join(f"a{n}: name" for n in range(ALIASES_MAX // 2 + 1))
    + " }",
    "51 directives": "{ forks " + "@include(if: true) " * 51 + "}",
    "330 repeated fields": "{ " + "toy { name } " * 240 + "}",
    "repeats below repeats": "{ " + ("toy { " + "name " * 10 + "} ") * 10 + "}",
    "too deep": "{ toy " + "{ maker " * DEPTH_MAX + "{ name }" + "}" * DEPTH_MAX + " }",
    "too many root fields": "{ " + " ".join(f"r{n}" for n in range(ROOT_FIELDS_MAX + 1)) + " }",
    "three mutations": "mutation { " + " ".join(f"m{n}" for n in range(3)) + " }",
    "a long source": "{ forks } #" + "x" * 20_000,
}

REFUSED_ELSEWHERE = {
    "30 levels of doubled fragments": doubled_fragments(30),
    "1,001 tokens": "{ " + "forks " * 1_001 + "}",
    "250 levels of nesting": "{ toy " * 250 + "}" * 250,
    "a cyclic fragment": "{ toy { ...A } } fragment A on Toy { ...B } fragment B on Toy { ...A }",
    "a fragment that spreads itself": "{ toy { ...A } } fragment A on Toy { ...A }",
    "a selection nobody knows": "{ t { } }",
    "50 repeats of one directive": "{ forks " + "@skip(if: false) " * 50 + "}",
    "a fragment nobody wrote": "{ ...Nowhere }",
    "101 comments": "#\n" * 101 + "{ forks }",
}


@pytest.mark.parametrize("text", TOO_COMPLEX.values(), ids=TOO_COMPLEX.keys())
async def test_too_much_structure_is_refused_before_validation(run: Run, text: str) -> None:
    started = time.process_time()

    outcome = await run(text)

    assert outcome.code == "QUERY_TOO_COMPLEX"
    assert outcome.is_request_error
    assert time.process_time() - started < FAST_S


@pytest.mark.parametrize("text", REFUSED_ELSEWHERE.values(), ids=REFUSED_ELSEWHERE.keys())
async def test_a_hostile_document_costs_little(run: Run, text: str) -> None:
    started = time.process_time()

    outcome = await run(text)

    assert time.process_time() - started < FAST_S
    assert outcome.is_request_error


async def test_doubled_fragments_are_read_once_each(run: Run) -> None:
    outcome = await run(doubled_fragments(REPEATS_MAX // 8))

    assert outcome.body["data"] == {"toy": {"name": "toy 1"}}


async def test_what_front_ends_really_send_passes(run: Run) -> None:
    fields = "id name mood count weight isNew madeAt tags price { amountMinor currency amount }"
    outcome = await run(
        f"query Page($n: Int!) {{ toys(first: $n) {{ edges {{ cursor node {{ ...T maker {{ name }} }} }}"
        f" pageInfo {{ endCursor hasNextPage }} }} other: toy {{ ...T }} shelf {{ ...T }} }}"
        f" fragment T on Toy {{ {fields} }}",
        n=20,
    )

    assert outcome.errors == []


async def test_refusals_name_no_field_that_exists(run: Run) -> None:
    for text in (
        "{ toi { name } }",
        "{ toy { nam } }",
        '{ echo(txt: "a") }',
        "{ toys(frist: 1) { nodes { id } } }",
    ):
        outcome = await run(text)
        assert outcome.is_request_error
        assert "Did you mean" not in str(outcome.body)


async def test_a_wrong_enum_value_in_a_variable_names_no_other(run: Run) -> None:
    outcome = await run(
        'mutation ($p: MoneyInput) { play(input: {name: "a", price: $p}) { __typename } }',
        p={"amountMinor": "1", "currency": "KEX"},
    )

    assert outcome.code == "BAD_USER_INPUT"
    assert "Did you mean" not in str(outcome.body)
    assert "KES" not in str(outcome.body)


@pytest.mark.parametrize("which", SCHEMAS)
async def test_tools_can_read_the_whole_schema_where_introspection_is_on(which: str) -> None:
    operations = Operations(SCHEMAS[which](), Serving(free, Introspection.ALLOWED))
    text = get_introspection_query(
        descriptions=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )

    outcome = await operations.run(Request(text), ToyContext(), frozenset(OperationType))

    assert outcome.errors == []
    assert outcome.body["data"]["__schema"]["queryType"]["name"] == "Query"


async def test_introspection_that_nests_lists_is_refused() -> None:
    operations = Operations(SCHEMAS["tenant"](), Serving(free, Introspection.ALLOWED))
    text = "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"

    outcome = await operations.run(Request(text), ToyContext(), frozenset(OperationType))

    assert outcome.code == "GRAPHQL_VALIDATION_FAILED"


async def test_introspection_is_refused_where_it_is_off(run: Run) -> None:
    outcome = await run("{ __schema { types { name } } }")

    assert outcome.code == "GRAPHQL_VALIDATION_FAILED"
