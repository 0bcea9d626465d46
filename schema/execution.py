"""The executor; objects of plain fields take the compiled path of `schema.plans`."""

from typing import Any

from graphql import GraphQLObjectType
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.plans import Composite, Plans, Write, compile_abstract, compile_object


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, with a shortcut for objects of plain fields.

    Uses private interfaces of graphql-core: tests/schema/test_execution.py compares both paths.
    """

    def __init__(self, *args: Any, plans: Plans | None = None, **kwargs: Any) -> None:  # noqa: ANN401 - as above it
        super().__init__(*args, **kwargs)
        self._plans = Plans() if plans is None else plans
        self.object_count = 0
        """Objects completed: what the operation really cost."""

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
            written_before = self._plans.written_count
            try:
                answer = plan(result)
            except Exception:  # noqa: BLE001, S110 - whatever went wrong, the executor below says so
                pass
            else:
                self.object_count += self._plans.written_count - written_before
                return answer
        self.object_count += 1
        return super().collect_and_execute_subfields(
            return_type, field_details_list, path, result, position_context
        )

    def _plan(self, kind: Composite, details: list[Any]) -> Write | None:
        if not isinstance(kind, GraphQLObjectType):
            members = self.schema.get_possible_types(kind)
            return compile_abstract([(member, self._plan(member, details)) for member in members])
        key = (kind.name, tuple([id(detail.node) for detail in details]))
        try:
            return self._plans.made[key]
        except KeyError:
            selected = self.collect_subfields(kind, details).grouped_field_set
            plan = compile_object(kind, selected, self._plans, self._plan)
            self._plans.made[key] = plan
            return plan
