"""Compiled selections: how a value of plain fields becomes its JSON without the executor.

graphql-core spends some 3 us on each plain field: a path, a resolve info, a resolver, a completion.
For objects whose selected fields are all attributes without arguments, a plan made once a document
reads the same values in one pass. A plan only ever answers what the executor would answer without
an error: whatever is odd (a null where none may be, a value of the wrong type, something to await)
raises NotPlain, and the executor does that subtree again, so that errors are located as always.
Fields are plain attributes, so reading them twice changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any, Final

from graphql import (
    GraphQLBoolean,
    GraphQLField,
    GraphQLID,
    GraphQLInterfaceType,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    GraphQLUnionType,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from strawberry.schema.schema_converter import CustomGraphQLEnumType, GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

Write = Callable[[object], object]
"""Turns a field's value into its JSON, or raises."""

Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType

SelectedFields = Mapping[str, list[Any]]
"""Response name to the field nodes that ask for it, as `collect_subfields` gives them."""


@dataclass(slots=True)
class Plans:
    """The plans of one document, which keeps its nodes alive: no identity is used twice."""

    made: dict[tuple[str, tuple[int, ...]], Write | None] = field(default_factory=dict)
    """By a type's name and the identities of the field nodes that select from it; None: there is none."""
    written_count: int = 0
    """Objects written so far. A plan runs without an await, so a difference is one operation's own."""


class NotPlain(Exception):
    """The plan does not apply to this value; the executor has to look."""


def compile_object(
    kind: GraphQLObjectType,
    selected: SelectedFields,
    plans: Plans,
    compile_child: Callable[[Composite, list[Any]], Write | None],
) -> Write | None:
    """Make the plan of one object type and selection; None where a field needs the executor.

    `compile_child` makes, or has made, the plan of an object, union or interface below.
    """
    steps: list[tuple[str, type | None, Write]] = []
    attributes: list[str] = []
    template: dict[str, str | None] = {}
    for response_name, details in selected.items():
        field_name = details[0].node.name.value
        template[response_name] = kind.name if field_name == "__typename" else None
        if field_name == "__typename":
            continue
        definition = kind.fields.get(field_name)
        attribute = None if definition is None else _attribute(definition)
        if definition is None or attribute is None:
            return None
        try:
            write = _write(definition.type, partial(_child, compile_child, details))
        except NotPlain:
            return None
        steps.append((response_name, _as_is(definition.type), write))
        attributes.append(attribute)
    return _object_writer(plans, _wanted_class(kind), template, attributes, steps)


def compile_abstract(members: Iterable[tuple[GraphQLObjectType, Write | None]]) -> Write:
    """Make the plan of a union or interface from those of its members: a value's class says which."""
    writers = {_origin(kind): write for kind, write in members if write is not None}

    def write(value: object) -> object:
        writer = writers.get(type(value))
        if writer is None:
            raise NotPlain
        return writer(value)

    return write


def _child(
    compile_child: Callable[[Composite, list[Any]], Write | None],
    details: list[Any],
    kind: Composite,
) -> Write | None:
    return compile_child(kind, details)


def _object_writer(
    plans: Plans,
    wanted: type | None,
    template: Mapping[str, str | None],
    attributes: list[str],
    steps: list[tuple[str, type | None, Write]],
) -> Write:
    """`template` has the response's keys in order, filled where the value is constant."""
    blank: dict[str, object] = dict(template)
    read = attrgetter(*attributes) if attributes else None
    is_single = len(attributes) == 1

    def write(value: object) -> dict[str, object]:
        if value is None or (wanted is not None and type(value) is not wanted):
            raise NotPlain
        plans.written_count += 1
        result = blank.copy()
        if read is None:
            return result
        items = (read(value),) if is_single else read(value)
        for (name, as_is, step), item in zip(steps, items):  # noqa: B905 - made together, and it costs
            result[name] = item if type(item) is as_is else step(item)
        return result

    return write


def _attribute(field: GraphQLField) -> str | None:
    """The attribute a plain field reads; None where something has to run for it."""
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryField) or not definition.is_basic_field or field.args:
        return None
    if not getattr(field.resolve, "_is_default", False) or definition.default_resolver is not getattr:
        return None
    return definition.python_name


def _wanted_class(kind: GraphQLObjectType) -> type | None:
    """The class a value must have: only types behind an interface are checked by the executor."""
    return None if kind.is_type_of is None else _origin(kind)


def _origin(kind: GraphQLObjectType) -> type:
    definition = kind.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    assert isinstance(definition, StrawberryObjectDefinition)  # noqa: S101 - made by the converter
    return definition.origin


def _write(kind: GraphQLOutputType, compile_child: Callable[[Composite], Write | None]) -> Write:
    """How a value of this type is written.

    Raises:
        NotPlain: an object below has no plan.
    """
    if is_non_null_type(kind):
        return _present(kind.of_type, compile_child)
    return _nullable(_present(kind, compile_child))


def _present(kind: GraphQLOutputType, compile_child: Callable[[Composite], Write | None]) -> Write:
    """How a value that must be there is written: None raises."""
    if is_list_type(kind):
        return _list_writer(_write(kind.of_type, compile_child))
    if isinstance(kind, CustomGraphQLEnumType):
        return _enum_writer(kind)
    if is_leaf_type(kind):
        return _scalar_writer(kind)
    if is_object_type(kind) or is_abstract_type(kind):
        child = compile_child(kind)
        if child is not None:
            return child
    raise NotPlain


def _nullable(write: Write) -> Write:
    def written(value: object) -> object:
        return None if value is None else write(value)

    return written


def _list_writer(write: Write) -> Write:
    def written(value: object) -> list[object]:
        # Iterators are spent by one reading, and the executor may have to read again.
        if not isinstance(value, list | tuple):
            raise NotPlain
        return [write(item) for item in value]

    return written


def _scalar_writer(kind: GraphQLLeafType) -> Write:
    coerce = kind.coerce_output_value

    def written(value: object) -> object:
        result = None if value is None else coerce(value)
        if result is None:
            raise NotPlain
        return result

    return written


def _enum_writer(kind: CustomGraphQLEnumType) -> Write:
    names: dict[object, str] = {kind.wrapped_cls(value.value): name for name, value in kind.values.items()}
    # What is no member raises KeyError or TypeError, and the executor says so.
    return names.__getitem__


_AS_IS: Final[Mapping[str, type]] = {
    GraphQLString.name: str,
    GraphQLID.name: str,
    GraphQLBoolean.name: bool,
}
"""Built-in scalars, and the Python type whose values they write unchanged."""


def _as_is(kind: GraphQLOutputType) -> type | None:
    nullable = kind.of_type if is_non_null_type(kind) else kind
    return _AS_IS.get(nullable.name) if is_leaf_type(nullable) else None
