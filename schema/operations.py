"""One operation, from what a client sent to what it gets: on every transport the same.

    text or id → document (kept) → cost → charge → executor → errors shown or masked

This replaces Strawberry's own `Schema.execute` and `Schema.stream`, whose extension hooks cost
more than the operation itself; the schema, the resolvers and the executor are Strawberry's.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationType,
    located_error,
)
from graphql.execution import create_source_event_stream, map_source_to_response_event
from strawberry.execution import optimized_is_awaitable

from schema.admitting import NOT_FOR_PAYERS, is_admitted
from schema.budgets import Charge
from schema.cost import COST_MAX
from schema.documents import (
    Accepted,
    Document,
    Documents,
    FindDocument,
    Introspection,
    Runnable,
    TrustedDocuments,
    no_documents,
)
from schema.exchange import (
    NO_TEXT,
    NOT_HERE,
    TIMEOUT,
    UNKNOWN_OPERATION,
    NotExecuted,
    Outcome,
    Report,
    Request,
)
from schema.execution import CompiledExecutor
from schema.faults import BAD_VARIABLES, refusal, shown
from schema.inputs import LongList, set_aside
from schema.limits import too_complex
from tenancy.errors import RateLimited

Context = TypeVar("Context")
Value = TypeVar("Value")
Caller = TypeVar("Caller", contravariant=True)  # noqa: PLC0105 - as the protocol names it

QUERY_TIMEOUT_S: Final = 10.0
CONNECTIONS_MAX: Final = 2_000
READING_COST: Final = 5
"""Of a document that is not kept: parsing and validating, or a look into the registry, even in vain."""


class ChargeCaller(Protocol[Caller]):
    """Takes an operation's cost from its caller; raises RateLimited."""

    def __call__(self, context: Caller, cost: int, /) -> Awaitable[Charge]: ...


async def _many(_context: object) -> int:
    return CONNECTIONS_MAX


@dataclass(frozen=True, slots=True)
class Serving(Generic[Context]):
    """How a process serves a schema."""

    charge: ChargeCaller[Context]
    introspection: Introspection = Introspection.REFUSED
    accepted: Accepted = Accepted.ANY
    find_document: FindDocument = no_documents
    query_timeout_s: float = QUERY_TIMEOUT_S
    """Of a query; mutations always run to their end."""
    connections_max: Callable[[Context], Awaitable[int]] = _many
    """Sockets and event streams that the tenant of this context may have open on this process."""
    weights: Mapping[str, int] | None = None
    """Fields that cost more than others: `Mutation.signIn`."""
    report: Callable[[Report], None] = lambda _report: None


@dataclass(frozen=True, slots=True)
class _Prepared:
    label: str
    kind: OperationType
    tenant: str | None
    charge: Charge
    executor: CompiledExecutor
    started: float


class Operations(Generic[Context]):
    """Runs the operations of one schema."""

    def __init__(self, schema: strawberry.Schema, serving: Serving[Context]) -> None:
        self._schema = schema._schema  # noqa: SLF001 - Strawberry has no public name for it
        self._serving = serving
        self._documents = Documents(self._schema, serving.introspection, serving.weights or {})
        self._trusted = TrustedDocuments(serving.find_document, serving.accepted)

    async def run(self, request: Request, context: Context, allowed: frozenset[OperationType]) -> Outcome:
        """Run one operation to its end and say what became of it; refusals are part of the answer."""
        started = time.perf_counter()
        try:
            prepared = await self._prepare(request, context, allowed)
        except NotExecuted as refused:
            return self._not_executed(request, refused, started)
        return await self._finish(prepared)

    async def stream(
        self, request: Request, context: Context, allowed: frozenset[OperationType]
    ) -> AsyncGenerator[Outcome, None]:
        """The same for transports that carry many answers: one for each event of a subscription."""
        started = time.perf_counter()
        try:
            prepared = await self._prepare(request, context, allowed)
        except NotExecuted as refused:
            yield self._not_executed(request, refused, started)
            return
        if prepared.kind is not OperationType.SUBSCRIPTION:
            yield await self._finish(prepared)
            return
        async with aclosing(self._events(prepared)) as events:
            async for outcome in events:
                yield outcome
                # A source that never really waits would keep everybody else waiting.
                await asyncio.sleep(0)

    async def _prepare(
        self, request: Request, context: Context, allowed: frozenset[OperationType]
    ) -> _Prepared:
        started = time.perf_counter()
        if not self._trusted.knows(request.text, request.document_id):
            await self._charge(context, READING_COST)
        try:
            text = await self._trusted.text(request.text, request.document_id)
        except GraphQLError as error:
            raise NotExecuted([error]) from error
        if not text:
            raise NotExecuted([_error(NO_TEXT, "Send a GraphQL document as `query`.")])
        if not self._documents.knows(text):
            await self._charge(context, READING_COST)
        document = self._documents.read(text)
        if document.errors:
            raise NotExecuted(list(document.errors))
        operation, cost, places, roots = _chosen(document, request.operation_name)
        if operation.operation not in allowed:
            raise NotExecuted([_error(*NOT_HERE[operation.operation])])
        if not is_admitted(context, roots):
            raise NotExecuted([_error(*NOT_FOR_PAYERS)])
        charge = await self._charge(context, cost.of(request.variables or {}))
        return _Prepared(
            operation.name.value if operation.name else "anonymous",
            operation.operation,
            _tenant(context),
            charge,
            self._executor(document, request, context, places),
            started,
        )

    async def _charge(self, context: Context, cost: int) -> Charge:
        if cost > COST_MAX:
            raise NotExecuted([too_complex(f"it costs {cost} of at most {COST_MAX}; ask for smaller pages.")])
        try:
            return await self._serving.charge(context, cost)
        except RateLimited as error:
            raise NotExecuted([refusal(error)], error.retry_after_s) from error

    def _executor(
        self, document: Document, request: Request, context: Context, places: Sequence[LongList]
    ) -> CompiledExecutor:
        aside = set_aside(places, request.variables or {})
        executor = CompiledExecutor.build(
            self._schema,
            cast("DocumentNode", document.ast),
            context_value=context,
            raw_variable_values=aside.variables,
            operation_name=request.operation_name,
            is_awaitable=cast("Any", optimized_is_awaitable),
            hide_suggestions=True,
            plans=document.plans,
        )
        if isinstance(executor, list):
            for error in executor:
                error.extensions = {"code": BAD_VARIABLES}
            raise NotExecuted(executor)
        aside.put_back(executor.variable_values.coerced)
        return cast("CompiledExecutor", executor)

    async def _finish(self, prepared: _Prepared) -> Outcome:
        """Execute a query, within its time, or a mutation, to its end."""
        is_query = prepared.kind is OperationType.QUERY
        try:
            async with asyncio.timeout(self._serving.query_timeout_s if is_query else None):
                result = await _awaited(prepared.executor.execute_operation())
        except TimeoutError:
            message = f"This took longer than {self._serving.query_timeout_s:g} s. Ask for less at once."
            result = ExecutionResult(None, [_error(TIMEOUT, message)])
        assert isinstance(result, ExecutionResult)  # noqa: S101 - no incremental delivery in our schemas
        actual = max(1, prepared.executor.object_count) if is_query else prepared.charge.cost
        prepared.charge.settle(actual)
        outcome = self._outcome(prepared, result)
        budget = prepared.charge.budget
        outcome.budget = budget
        outcome.body["extensions"] = {
            "cost": {
                "requested": prepared.charge.cost,
                "actual": actual,
                "available": budget.available,
                "restoreRate": budget.restore_per_s,
            }
        }
        return outcome

    async def _events(self, prepared: _Prepared) -> AsyncGenerator[Outcome, None]:
        source: AsyncIterable[Any] | ExecutionResult = await _awaited(
            create_source_event_stream(prepared.executor)
        )
        if isinstance(source, ExecutionResult):
            yield self._outcome(prepared, source)
            return
        async with aclosing(map_source_to_response_event(prepared.executor, source)) as results:
            try:
                async for result in results:
                    yield self._outcome(prepared, result)
            except Exception as error:  # noqa: BLE001 - a fault of the source ends the stream, masked
                fault = located_error(error, ())
                yield self._outcome(prepared, ExecutionResult(None, [fault]))

    def _outcome(self, prepared: _Prepared, result: ExecutionResult) -> Outcome:
        body: dict[str, Any] = {"data": result.data}
        errors: list[GraphQLError] = []
        if result.errors:
            errors = shown(result.errors, operation=prepared.label, tenant=prepared.tenant)
            body["errors"] = [error.formatted for error in errors]
        seconds = time.perf_counter() - prepared.started
        outcome = "error" if errors else "ok"
        self._serving.report(
            Report(prepared.label, prepared.kind.value, seconds, prepared.charge.cost, outcome)
        )
        return Outcome(body, errors)

    def _not_executed(self, request: Request, refused: NotExecuted, started: float) -> Outcome:
        code = refused.code or UNKNOWN_OPERATION
        seconds = time.perf_counter() - started
        self._serving.report(Report(request.operation_name or "anonymous", "none", seconds, 0, code))
        body = {"errors": [error.formatted for error in refused.errors]}
        return Outcome(
            body, refused.errors, is_request_error=True, retry_after_s=refused.retry_after_s, code=code
        )


async def _awaited(value: Awaitable[Value] | Value) -> Value:
    return await value if isinstance(value, Awaitable) else value


def _chosen(document: Document, name: str | None) -> Runnable:
    found = document.operation(name)
    if found is None:
        message = "Name one of the document's operations as `operationName`."
        raise NotExecuted([_error(UNKNOWN_OPERATION, message)])
    return found


def _error(code: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})


def _tenant(context: object) -> str | None:
    principal = getattr(context, "principal", None)
    return None if principal is None or principal.tenant_id is None else str(principal.tenant_id)
