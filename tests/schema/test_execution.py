"""The compiled path gives what the executor alone would give."""

from typing import Any, cast

import pytest
from graphql import ExecutionResult, GraphQLObjectType, parse
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema import plans
from schema.execution import CompiledExecutor
from tests.schema.toy import ToyContext, toy_schema

SCHEMA = toy_schema()._schema  # noqa: SLF001 - Strawberry has no public name for it

TOY = "id name mood count weight isNew madeAt tags price { amountMinor currency amount }"
QUERIES = {
    "every kind of plain field": f"{{ toys(first: 7) {{ nodes {{ {TOY} }} }} }}",
    "nested objects and nulls": "{ toys(first: 7) { edges { cursor node { maker { name town } } } } }",
    "lists of objects": "{ toys(first: 3) { nodes { parts { name town } } } pageOf: shelf { name } }",
    "aliases": "{ shelf { a: name b: name name price { x: amount } } }",
    "__typename everywhere": "{ __typename shelf { __typename price { __typename } } }",
    "fragments": "{ shelf { ...F ... on Toy { mood } ... { count } } } fragment F on Toy { id name }",
    "an interface's fragment": "{ shelf { ... on Node { id } name } }",
    "the same object selected twice": "{ toy { maker { name } maker { town } } }",
    "skip and include": (
        "query ($yes: Boolean = true) { shelf { name @skip(if: $yes) id @include(if: $yes) } }"
    ),
    "a field with an argument among plain ones": '{ shelf { name echo(text: "x") mood } }',
    "an async field among plain ones": "{ shelf { name later maker { name } } }",
    "a null where none may be": "{ nameless { name town } }",
    "a null behind other fields": "{ toy { name } nameless { town name } shelf { id } }",
    "members of an interface, or none": (
        "{ drawers { content { __typename id ... on Toy { name price { amount } } } } }"
    ),
    "members of a union": (
        "{ drawers { played { __typename ... on Error { code message } ... on PlaySuccess { toy { name } }"
        " ... on CurrencyMismatchError { expected } } } }"
    ),
    "a member with an async field": "{ drawers { played { ... on PlaySuccess { toy { later } } } } }",
    "page info": "{ toys(first: 2) { pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }",
}


async def _executed(kind: type[StrawberryGraphQLCoreExecutionContext], query: str) -> ExecutionResult:
    executor = kind.build(
        SCHEMA, parse(query), context_value=ToyContext(), is_awaitable=cast("Any", optimized_is_awaitable)
    )
    assert not isinstance(executor, list), executor
    result = executor.execute_operation()
    return cast(
        "ExecutionResult", result if isinstance(result, ExecutionResult) else await cast("Any", result)
    )


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
async def test_both_paths_give_the_same_answer_in_the_same_order(query: str) -> None:
    compiled = await _executed(CompiledExecutor, query)
    plain = await _executed(StrawberryGraphQLCoreExecutionContext, query)

    assert str(compiled.data) == str(plain.data)
    assert [error.formatted for error in compiled.errors or ()] == [
        error.formatted for error in plain.errors or ()
    ]


async def test_a_page_of_plain_rows_never_reaches_the_executors_fields(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executed: list[str] = []
    original: Any = CompiledExecutor.execute_field

    def counted(self: CompiledExecutor, parent: object, source: object, *rest: Any) -> object:  # noqa: ANN401 - passed on
        executed.append(rest[0][0].node.name.value)
        return original(self, parent, source, *rest)

    monkeypatch.setattr(CompiledExecutor, "execute_field", counted)

    await _executed(CompiledExecutor, QUERIES["every kind of plain field"])
    await _executed(CompiledExecutor, QUERIES["members of an interface, or none"])
    await _executed(CompiledExecutor, QUERIES["members of a union"])

    assert executed == ["toys", "drawers", "drawers"]


@pytest.mark.parametrize(
    ("query", "objects"),
    [
        ("{ __typename }", 0),
        ("{ toys(first: 4) { nodes { name price { amount } } } }", 1 + 4 * 2),
        ('{ toys(first: 4) { nodes { echo(text: "x") price { amount } } } }', 1 + 4 * 2),
        ("{ nameless { name town } }", 1),
    ],
)
async def test_both_paths_count_what_they_complete(query: str, objects: int) -> None:
    executor = CompiledExecutor.build(
        SCHEMA, parse(query), context_value=ToyContext(), is_awaitable=cast("Any", optimized_is_awaitable)
    )
    assert isinstance(executor, CompiledExecutor)
    result = executor.execute_operation()
    if not isinstance(result, ExecutionResult):
        await cast("Any", result)

    assert executor.object_count == objects


async def test_plans_are_made_once_for_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    original = plans.compile_object

    def counted(kind: GraphQLObjectType, *rest: Any) -> object:  # noqa: ANN401 - passed on
        compiled.append(kind.name)
        return original(kind, *rest)

    monkeypatch.setattr("schema.execution.compile_object", counted)

    await _executed(CompiledExecutor, "{ toys(first: 50) { nodes { name price { amount } } } }")

    assert sorted(compiled) == ["Money", "Toy", "ToyConnection"]
