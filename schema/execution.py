"""The executor; plain fields take a compiled path (`schema.plans`)."""

from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    pass
