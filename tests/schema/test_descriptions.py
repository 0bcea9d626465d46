"""The schema explains itself: everything in it is described."""

from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
)

from schema.sdl import SCHEMAS


def undescribed(kind: GraphQLNamedType) -> Iterator[str]:
    if not kind.description:
        yield kind.name
    if isinstance(kind, GraphQLEnumType):
        yield from (f"{kind.name}.{name}" for name, value in kind.values.items() if not value.description)
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in kind.fields.items():
            if not field.description:
                yield f"{kind.name}.{name}"
            yield from (
                f"{kind.name}.{name}({argument})"
                for argument, definition in field.args.items()
                if not definition.description
            )
    if isinstance(kind, GraphQLInputObjectType):
        yield from (f"{kind.name}.{name}" for name, field in kind.fields.items() if not field.description)


@pytest.mark.parametrize("which", SCHEMAS)
def test_every_type_field_argument_and_enum_value_is_described(which: str) -> None:
    schema = SCHEMAS[which]()._schema  # noqa: SLF001 - Strawberry has no public name for it
    own = [kind for name, kind in schema.type_map.items() if not name.startswith("__")]

    assert [place for kind in own for place in undescribed(kind)] == []
