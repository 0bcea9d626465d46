"""What becomes of one operation, whatever the transport."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest
import structlog
from graphql import OperationType

from schema.documents import Introspection
from schema.exchange import Outcome, Report, Request
from schema.operations import READING_COST, Operations, Serving
from tenancy.errors import RateLimited
from tenancy.limits import Budget
from tests.schema.toy import Free, ToyContext, free, toy_schema

Run = Callable[..., Awaitable[Outcome]]
EVERYTHING = frozenset(OperationType)


async def test_a_refusal_of_the_fields_union_is_data(run: Run) -> None:
    outcome = await run(
        'mutation { play(input: {name: "drum"}) { __typename ... on Error { code message }'
        " ... on CurrencyMismatchError { expected } } }"
    )

    assert outcome.body["data"]["play"] == {
        "__typename": "CurrencyMismatchError",
        "code": "CURRENCY_MISMATCH",
        "message": "Expected an amount in KES, got USD.",
        "expected": "KES",
    }
    assert outcome.errors == []


async def test_a_refusal_outside_a_union_is_an_error_with_its_code(run: Run) -> None:
    outcome = await run("{ refused }")

    [error] = outcome.body["errors"]
    assert error["message"] == "That is no name."
    assert error["extensions"] == {"code": "INVALID_INPUT", "field": "name"}
    assert error["path"] == ["refused"]


async def test_a_fault_is_masked_and_logged_under_one_reference(run: Run) -> None:
    with structlog.testing.capture_logs() as lines:
        outcome = await run("query Mine($t: String!) { broken echo(text: $t) }", t="card number")

    [error] = outcome.body["errors"]
    [line] = [line for line in lines if line["event"] == "operation_fault"]
    assert "secret detail" not in str(outcome.body)
    assert error["extensions"] == {"code": "INTERNAL_ERROR", "reference": line["reference"]}
    assert line["operation"] == "Mine"
    assert "secret detail" in line["traceback"]
    assert "card number" not in str(line)


async def test_other_fields_answer_beside_a_fault(run: Run) -> None:
    outcome = await run("{ broken forks }")

    assert outcome.body["data"] == {"broken": None, "forks": 0}


async def test_a_bad_variable_is_the_clients_to_mend(run: Run) -> None:
    outcome = await run("query ($n: Int!) { toys(first: $n) { nodes { id } } }", n="many")

    assert outcome.code == "BAD_USER_INPUT"
    assert outcome.is_request_error
    assert "data" not in outcome.body


async def test_a_query_ends_in_time() -> None:
    hasty = Operations(toy_schema(), Serving(free, query_timeout_s=0.05))

    outcome = await hasty.run(Request("{ endless }"), ToyContext(), EVERYTHING)

    assert outcome.errors[0].extensions == {"code": "OPERATION_TIMEOUT"}


async def test_a_mutation_is_not_timed() -> None:
    hasty = Operations(toy_schema(), Serving(free, query_timeout_s=0.0))

    outcome = await hasty.run(
        Request('mutation { play(input: {name: "top"}) { __typename } }'), ToyContext(), EVERYTHING
    )

    assert outcome.body["data"] == {"play": {"__typename": "PlaySuccess"}}


@pytest.mark.parametrize(
    ("text", "allowed", "code"),
    [
        (
            'mutation { play(input: {name: "a"}) { __typename } }',
            {OperationType.QUERY},
            "MUTATION_NEEDS_POST",
        ),
        ("subscription { count }", {OperationType.QUERY}, "SUBSCRIPTION_NEEDS_STREAM"),
    ],
)
async def test_what_a_transport_can_not_carry_is_refused(
    operations: Operations[ToyContext], text: str, allowed: set[OperationType], code: str
) -> None:
    outcome = await operations.run(Request(text), ToyContext(), frozenset(allowed))

    assert outcome.code == code


async def test_an_operation_of_many_has_to_be_named(operations: Operations[ToyContext]) -> None:
    text = "query A { forks } query B { __typename }"

    unnamed = await operations.run(Request(text), ToyContext(), EVERYTHING)
    wrong = await operations.run(Request(text, operation_name="C"), ToyContext(), EVERYTHING)
    named = await operations.run(Request(text, operation_name="B"), ToyContext(), EVERYTHING)

    assert unnamed.code == wrong.code == "UNKNOWN_OPERATION"
    assert named.body["data"] == {"__typename": "Query"}


async def test_the_cost_is_charged_before_and_settled_after() -> None:
    charged: list[int] = []
    settled: list[int] = []

    class Counted(Free):
        def settle(self, actual: int) -> None:
            settled.append(actual)

    async def charge(_context: ToyContext, cost: int) -> Free:
        charged.append(cost)
        return Counted(cost, Budget(77, 100, 10))

    operations = Operations(toy_schema(), Serving(charge))
    text = "query ($n: Int) { toys(first: $n) { nodes { name price { amount } } } }"
    request = Request(text, variables={"n": 5})
    await operations.run(request, ToyContext(), EVERYTHING)
    outcome = await operations.run(request, ToyContext(), EVERYTHING)

    assert charged == [READING_COST, 1 + 5 * 2, 1 + 5 * 2]
    assert settled == [11, 11]
    assert outcome.body["extensions"]["cost"] == {
        "requested": 11,
        "actual": 11,
        "available": 77,
        "restoreRate": 10,
    }


async def test_an_empty_bucket_runs_nothing() -> None:
    async def charge(_context: ToyContext, _cost: int) -> Free:
        raise RateLimited(7)

    outcome = await Operations(toy_schema(), Serving(charge)).run(
        Request("{ forks }"), ToyContext(), EVERYTHING
    )

    assert outcome.code == "RATE_LIMITED"
    assert outcome.retry_after_s == 7
    assert "data" not in outcome.body


async def test_documents_that_never_run_are_charged_for_their_reading() -> None:
    charged: list[int] = []

    async def charge(_context: ToyContext, cost: int) -> Free:
        charged.append(cost)
        return Free(cost)

    operations = Operations(toy_schema(), Serving(charge))
    for text in ("{", "{ nowhere }"):
        await operations.run(Request(text), ToyContext(), EVERYTHING)

    assert charged == [READING_COST, READING_COST]


async def test_a_subscription_gives_each_event(operations: Operations[ToyContext]) -> None:
    stream = operations.stream(Request("subscription { count(to: 3) }"), ToyContext(), EVERYTHING)

    assert [outcome.body["data"]["count"] async for outcome in stream] == [1, 2, 3]


async def test_a_fault_in_a_subscription_is_masked_and_ends_it(operations: Operations[ToyContext]) -> None:
    stream = operations.stream(Request("subscription { failing }"), ToyContext(), EVERYTHING)

    first, last = [outcome async for outcome in stream]

    assert first.body["data"] == {"failing": 1}
    assert "secret detail" not in str(last.body)
    assert last.body["errors"][0]["extensions"]["code"] == "INTERNAL_ERROR"


async def test_a_busy_subscription_leaves_others_their_turn(operations: Operations[ToyContext]) -> None:
    turns = 0

    async def neighbour() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    other = asyncio.create_task(neighbour())
    stream = operations.stream(Request("subscription { count(to: 50) }"), ToyContext(), EVERYTHING)
    async with aclosing(stream):
        events = [outcome async for outcome in stream]
    other.cancel()

    assert turns >= len(events) - 1 == 49


async def test_each_operation_is_reported_once() -> None:
    reports: list[Report] = []
    operations = Operations(toy_schema(), Serving(free, Introspection.REFUSED, report=reports.append))

    await operations.run(Request("query Named { forks }"), ToyContext(), EVERYTHING)
    await operations.run(Request("{ nowhere }"), ToyContext(), EVERYTHING)

    assert [(report.name, report.kind, report.outcome) for report in reports] == [
        ("Named", "query", "ok"),
        ("anonymous", "none", "GRAPHQL_VALIDATION_FAILED"),
    ]
