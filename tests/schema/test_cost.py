"""What operations cost before they run."""

import pytest
from graphql import parse

from schema.cost import (
    INPUT_OBJECT_COST,
    INTROSPECTION_COST,
    LIST_SIZE_ASSUMED,
    MUTATION_COST,
    PAGE_SIZE_MAX,
    operation_cost,
)
from schema.inputs import long_lists
from schema.limits import operations
from tests.schema.toy import toy_schema

SCHEMA = toy_schema()._schema  # noqa: SLF001 - Strawberry has no public name for it


def cost(text: str, variables: dict[str, object] | None = None, **weights: int) -> int:
    document = parse(text)
    [operation] = operations(document)
    named = {name.replace("_", "."): weight for name, weight in weights.items()}
    return operation_cost(SCHEMA, document, operation, named).of(variables or {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ __typename }", 1),
        ("{ forks }", 1),
        ("{ toy { name } }", 1),
        ("{ toy { name maker { name } price { amount } } }", 3),
        ("{ toys(first: 7) { nodes { name } } }", 1 + 7),
        ("{ toys(first: 7) { edges { node { maker { name } } } pageInfo { endCursor } } }", 1 + 7 * 3 + 1),
        ("{ toys { nodes { name } } }", 1 + 20),
        ("{ shelf { name } }", LIST_SIZE_ASSUMED),
        ("{ toys(first: 2) { nodes { parts { name } } } }", 1 + 2 * (1 + LIST_SIZE_ASSUMED)),
        ("{ toys(first: 5000) { nodes { name } } }", 1 + PAGE_SIZE_MAX),
        (
            "{ toys(first: 3) { ...C } } fragment C on ToyConnection { nodes { maker { name } } }",
            1 + 3 * 2,
        ),
        ('mutation { play(input: {name: "a"}) { ... on PlaySuccess { toy { name } } } }', MUTATION_COST + 2),
        ("{ __schema { queryType { name } } }", INTROSPECTION_COST),
    ],
)
def test_objects_count_and_pages_multiply(text: str, expected: int) -> None:
    assert cost(text) == expected


def test_a_page_size_may_be_a_variable() -> None:
    text = "query ($n: Int = 4) { toys(first: $n) { nodes { name } } }"

    assert cost(text, {"n": 9}) == 10
    assert cost(text) == 5
    assert cost(text, {"n": 10**9}) == 1 + PAGE_SIZE_MAX
    assert cost(text, {"n": "nonsense"}) == 5


@pytest.mark.parametrize(
    ("variables", "objects"),
    [
        ({"input": {"lines": [{}] * 1_000}}, 1_000),
        ({"input": {"lines": [{}] * 3}, "more": [{}] * 4}, 7),
        ({"input": {"lines": "nonsense"}, "more": {}}, 0),
        ({"input": None}, 0),
    ],
)
def test_each_input_object_of_a_list_costs(variables: dict[str, object], objects: int) -> None:
    text = "query ($input: OrderInput!, $more: [LineInput!]) { lines(input: $input, more: $more) }"
    document = parse(text)
    [operation] = operations(document)

    made = operation_cost(SCHEMA, document, operation, {}, long_lists(SCHEMA, operation))

    assert made.of(variables) == max(1, objects * INPUT_OBJECT_COST)


def test_a_field_may_weigh_more() -> None:
    assert cost("{ forks }", Query_forks=30) == 30


def test_fragments_that_double_do_not_double_the_work() -> None:
    levels = 60
    fragments = " ".join(f"fragment F{n} on Toy {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels))
    text = f"{{ toy {{ ...F0 }} }} {fragments} fragment F{levels} on Toy {{ maker {{ name }} }}"

    assert cost(text) >= 10**9
