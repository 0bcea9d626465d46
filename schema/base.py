"""How a schema is made: configuration, scalars, refusals, and the executor.

A root gathers what the areas give it:

    schema = make_schema(query=Query, mutation=Mutation, subscription=Subscription, refusals=REFUSALS)

An area offers `PaymentQueries`, `PaymentMutations`, `PaymentSubscriptions` (classes decorated with
`strawberry.type`) and REFUSALS; the roots inherit from the classes of all areas. Every type, field,
argument and enum value has a description: tests/schema fails otherwise.
"""

from collections.abc import Iterable
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.errors import GENERIC_REFUSALS, Refusal
from schema.execution import CompiledExecutor
from schema.scalars import SCALARS


def make_schema(
    *,
    query: type,
    mutation: type | None = None,
    subscription: type | None = None,
    types: Iterable[type] = (),
    refusals: Iterable[Refusal[Any, Any]] = (),
) -> strawberry.Schema:
    """Build one executable schema. `types` are those no field names, such as members of an interface."""
    return strawberry.Schema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        types=types,
        execution_context_class=CompiledExecutor,
        config=StrawberryConfig(scalar_map=SCALARS, batching_config=None, disable_field_suggestions=True),
        exception_handlers=_most_specific_first([*GENERIC_REFUSALS, *refusals]),
    )


def _most_specific_first(refusals: list[Refusal[Any, Any]]) -> list[Refusal[Any, Any]]:
    """So that a subclass is not shown as the class above it: the first that matches wins."""
    return sorted(refusals, key=lambda refusal: -len(refusal.exception_type.__mro__))
