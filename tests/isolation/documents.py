"""Operations made from the SDL: every root field, with everything it can tell selected."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

from schema.sdl import print_sdl

DEPTH_MAX = 3

Inputs = dict[str, GraphQLArgument] | dict[str, GraphQLInputField]


@dataclass(frozen=True, slots=True)
class RootField:
    """One field of Query, Mutation or Subscription."""

    kind: str
    """`query`, `mutation` or `subscription`."""
    name: str
    field: GraphQLField

    @property
    def path(self) -> str:
        return f"{self.kind}.{self.name}"


def tenant_sdl() -> GraphQLSchema:
    return build_schema(print_sdl("tenant"))


def root_fields(schema: GraphQLSchema) -> list[RootField]:
    """Every root field there is."""
    roots = {
        "query": schema.query_type,
        "mutation": schema.mutation_type,
        "subscription": schema.subscription_type,
    }
    return [
        RootField(kind, name, field)
        for kind, root in roots.items()
        if root is not None
        for name, field in root.fields.items()
    ]


def input_paths(root: RootField) -> dict[str, Any]:
    """Each argument and input field that holds a leaf, by its path: `input.amount.amountMinor`."""
    return _leaves(root.field.args, "")


def _leaves(fields: Inputs, prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in fields.items():
        named = get_named_type(field.type)
        if isinstance(named, GraphQLInputObjectType):
            found |= _leaves(named.fields, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = field
    return found


def document(schema: GraphQLSchema, root: RootField) -> str:
    """The operation with every argument as a variable and every field selected."""
    declared = ", ".join(f"${name}: {argument.type}" for name, argument in root.field.args.items())
    passed = ", ".join(f"{name}: ${name}" for name in root.field.args)
    head = f"{root.kind} ({declared})" if declared else root.kind
    call = f"{root.name}({passed})" if passed else root.name
    return f"{head} {{ {call} {_selection(schema, get_named_type(root.field.type), DEPTH_MAX)} }}"


def _selection(
    schema: GraphQLSchema,
    kind: Any,  # noqa: ANN401 - graphql-core's type union
    depth: int,
    clashing: frozenset[str] = frozenset(),
    told: frozenset[str] = frozenset(),
) -> str:
    """`told` has the fields that are selected already, by an interface around it."""
    if is_leaf_type(kind):
        return ""
    if isinstance(kind, (GraphQLUnionType, GraphQLInterfaceType)):
        return _abstract(schema, kind, depth)
    assert isinstance(kind, GraphQLObjectType)
    parts = [] if told else ["__typename"]
    for name, field in kind.fields.items():
        named = get_named_type(field.type)
        if name in told:
            continue
        if any(is_required_argument(argument) for argument in field.args.values()):
            raise AssertionError(f"{kind.name}.{name} needs arguments: teach this module about it")
        shown = f"{kind.name}_{name}: {name}" if name in clashing else name
        if is_leaf_type(named):
            parts.append(shown)
        elif depth > 0:
            parts.append(f"{shown} {_selection(schema, named, depth - 1)}")
    return f"{{ {' '.join(parts)} }}" if parts else ""


def _abstract(schema: GraphQLSchema, kind: GraphQLUnionType | GraphQLInterfaceType, depth: int) -> str:
    members = schema.get_possible_types(kind)
    apart = _clashing(members)
    # Which member it is, is said once for all of them.
    parts, told = ["__typename"], frozenset({"__typename"})
    if isinstance(kind, GraphQLInterfaceType):
        told = frozenset(
            name for name, field in kind.fields.items() if is_leaf_type(get_named_type(field.type))
        )
        parts += sorted(told)
        # Whatever has an id is a Node: with all of everything, that document is longer than any may be,
        # and has more aliases. Each type has a field of its own that tells the rest.
        depth, told = 0, told | apart
    for member in members:
        left_out = told | (_wordless(member) if isinstance(kind, GraphQLInterfaceType) else frozenset())
        selected = _selection(schema, member, depth, apart, left_out)
        if selected:
            parts.append(f"... on {member.name} {selected}")
    return f"{{ {' '.join(parts)} }}"


def _wordless(kind: GraphQLObjectType) -> frozenset[str]:
    """Leaves that tell no name and no id: dates, numbers, enums."""
    leaves = {name: get_named_type(field.type) for name, field in kind.fields.items()}
    return frozenset(
        name for name, of in leaves.items() if is_leaf_type(of) and of.name not in ("ID", "String")
    )


def _clashing(members: Sequence[GraphQLObjectType]) -> frozenset[str]:
    """Names that members of a union give to different types: one selection can't have both."""
    types: dict[str, set[str]] = {}
    for member in members:
        for name, field in member.fields.items():
            types.setdefault(name, set()).add(str(field.type))
    return frozenset(name for name, found in types.items() if len(found) > 1)


def variables(root: RootField, values: dict[str, Any]) -> dict[str, Any]:
    """Values by path, put into the shape of the arguments; what is not required and not given is left out."""
    return _shaped(root.field.args, "", values)


def _shaped(fields: Inputs, prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    shaped: dict[str, Any] = {}
    for name, field in fields.items():
        path = f"{prefix}{name}"
        named = get_named_type(field.type)
        if isinstance(named, GraphQLInputObjectType):
            shaped[name] = _shaped(named.fields, f"{path}.", values)
        elif path in values:
            shaped[name] = values[path]
        elif _is_required(field):
            raise AssertionError(f"no value for {path}")
    return shaped


def _is_required(field: GraphQLArgument | GraphQLInputField) -> bool:
    if isinstance(field, GraphQLArgument):
        return is_required_argument(field)
    return is_required_input_field(field)
