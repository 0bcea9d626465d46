"""The executor; objects of plain fields take the compiled path of `schema.plans`."""

from typing import Any

from graphql import GraphQLObjectType
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.plans import Write, compile_object

PlanKey = tuple[str, tuple[int, ...]]
"""A type's name and the identities of the field nodes that select from it."""

Plans = dict[PlanKey, Write | None]
"""The plans of one document, which keeps its nodes alive: no identity is used twice."""


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, with a shortcut for objects of plain fields.

    Uses private interfaces of graphql-core: tests/schema/test_execution.py compares both paths.
    """

    def __init__(self, *args: Any, plans: Plans | None = None, **kwargs: Any) -> None:  # noqa: ANN401 - as above it
        super().__init__(*args, **kwargs)
        self._plans: Plans = {} if plans is None else plans

    def collect_and_execute_subfields(
        self,
        return_type: GraphQLObjectType,
        field_details_list: list[Any],
        path: Path,
        result: object,
        position_context: Any,  # noqa: ANN401 - private to graphql-core
    ) -> Any:  # noqa: ANN401 - as in graphql-core
        plan = self._plan(return_type, field_details_list)
        if plan is not None and self.middleware_manager is None:
            try:
                return plan(result)
            except Exception:  # noqa: BLE001, S110 - whatever went wrong, the executor below says so
                pass
        return super().collect_and_execute_subfields(
            return_type, field_details_list, path, result, position_context
        )

    def _plan(self, kind: GraphQLObjectType, details: list[Any]) -> Write | None:
        key = (kind.name, tuple([id(detail.node) for detail in details]))
        try:
            return self._plans[key]
        except KeyError:
            selected = self.collect_subfields(kind, details).grouped_field_set
            plan = compile_object(kind, selected, self._plan)
            self._plans[key] = plan
            return plan
