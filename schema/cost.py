"""What an operation may cost, before it runs: a function of its variables, made once a document.

An object costs 1, a list its size times what one item costs; plain fields are free. The size of a
list is the `first` or `last` of its field, or of the connection around it, else LIST_SIZE_ASSUMED.
Each input object of a list in a variable costs INPUT_OBJECT_COST: it is one thing to be done.
A root mutation adds MUTATION_COST; `weights` names fields that cost more, as `Mutation.signIn`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    Undefined,
    VariableNode,
    get_named_type,
    is_composite_type,
    is_list_type,
    is_non_null_type,
)

from schema.inputs import LongList

COST_MAX: Final = 5_000
"""Of one operation."""
LIST_SIZE_ASSUMED: Final = 10
"""Of lists without a page size: they are short by design."""
PAGE_SIZE_MAX: Final = 100
MUTATION_COST: Final = 10
INPUT_OBJECT_COST: Final = 1
INTROSPECTION_COST: Final = 50
_CLAMP: Final = 10**9
_PAGE_ARGUMENTS: Final = ("first", "last")


@dataclass(frozen=True, slots=True)
class VariableSize:
    """A page size that a variable gives."""

    name: str
    default: int

    def value(self, variables: Mapping[str, Any]) -> int:
        given = variables.get(self.name, self.default)
        # Anything else is refused when the variables are coerced.
        return min(max(given, 0), PAGE_SIZE_MAX) if type(given) is int else self.default


Size = int | VariableSize


@dataclass(slots=True)
class Term:
    """A cost: so much, plus terms that count several times. Fragments share their terms."""

    base: int = 0
    parts: list[tuple[Size, "Term"]] = field(default_factory=list)

    def add(self, times: Size, term: "Term") -> None:
        if isinstance(times, int) and not term.parts:
            self.base = min(_CLAMP, self.base + times * term.base)
        elif term.base or term.parts:
            self.parts.append((times, term))


class OperationCost:
    """The cost of one operation."""

    def __init__(self, term: Term, long_lists: Sequence[LongList] = ()) -> None:
        self._term = term
        self._long_lists = long_lists

    def of(self, variables: Mapping[str, Any]) -> int:
        """In units, for these variables as the client sent them."""
        cost = self._term.base
        if self._term.parts:
            cost = _evaluate(self._term, variables, {})
        for place in self._long_lists:
            cost += INPUT_OBJECT_COST * len(place.of(variables))
        return max(1, cost)


def _evaluate(term: Term, variables: Mapping[str, Any], known: dict[int, int]) -> int:
    """Each shared term once: fragments that spread each other twice would double it otherwise."""
    if id(term) not in known:
        total = term.base
        for size, part in term.parts:
            times = size if isinstance(size, int) else size.value(variables)
            total += times * _evaluate(part, variables, known)
        known[id(term)] = min(_CLAMP, total)
    return known[id(term)]


def operation_cost(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    weights: Mapping[str, int],
    long_lists: Sequence[LongList] = (),
) -> OperationCost:
    """The cost of one operation of a validated document; `long_lists` are the places of its own."""
    root = schema.get_root_type(operation.operation)
    assert root is not None  # noqa: S101 - validated
    walk = _Walk(schema, document, operation, weights)
    term = walk.selections(operation.selection_set, root, None)
    if operation.operation is OperationType.MUTATION:
        term.base += MUTATION_COST * len(operation.selection_set.selections)
    return OperationCost(term, long_lists)


class _Walk:
    """One pass over a document; each fragment once for each page size it is used with."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        weights: Mapping[str, int],
    ) -> None:
        self._schema = schema
        self._weights = weights
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._defaults = {
            variable.variable.name.value: variable.default_value
            for variable in operation.variable_definitions or ()
        }
        self._terms: dict[tuple[str, Size | None], Term] = {}

    def selections(self, node: SelectionSetNode, kind: GraphQLNamedType, size: Size | None) -> Term:
        """The cost of a selection; lists in it have `size` items if their field says nothing."""
        term = Term()
        for selection in node.selections:
            if isinstance(selection, FieldNode):
                self._add_field(term, selection, kind, size)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = kind if condition is None else self._schema.type_map[condition.name.value]
                term.add(1, self.selections(selection.selection_set, inner, size))
            elif isinstance(selection, FragmentSpreadNode):
                term.add(1, self._fragment(selection.name.value, size))
        return term

    def _fragment(self, name: str, size: Size | None) -> Term:
        key = (name, size)
        if key not in self._terms:
            definition = self._fragments[name]
            kind = self._schema.type_map[definition.type_condition.name.value]
            self._terms[key] = self.selections(definition.selection_set, kind, size)
        return self._terms[key]

    def _add_field(self, term: Term, node: FieldNode, kind: GraphQLNamedType, size: Size | None) -> None:
        name = node.name.value
        if name.startswith("__"):
            term.base += 0 if name == "__typename" else INTROSPECTION_COST
            return
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)  # noqa: S101 - validated
        definition = kind.fields[name]
        term.base += self._weights.get(f"{kind.name}.{name}", 0)
        below = get_named_type(definition.type)
        if not is_composite_type(below) or node.selection_set is None:
            return
        own_size = self._page_size(node, definition)
        item = self.selections(node.selection_set, below, own_size)
        times = (own_size or size or LIST_SIZE_ASSUMED) if _is_list(definition.type) else 1
        term.add(times, Term(1 + item.base, item.parts))

    def _page_size(self, node: FieldNode, definition: GraphQLField) -> Size | None:
        for name in _PAGE_ARGUMENTS:
            if name not in definition.args:
                continue
            given = next((a.value for a in node.arguments or () if a.name.value == name), None)
            if isinstance(given, IntValueNode):
                return _bounded(int(given.value))
            declared = definition.args[name].default_value
            fallback = _bounded(declared) if type(declared) is int else PAGE_SIZE_MAX
            if isinstance(given, VariableNode):
                literal = self._defaults.get(given.name.value)
                default = _bounded(int(literal.value)) if isinstance(literal, IntValueNode) else fallback
                return VariableSize(given.name.value, default)
            if declared is not Undefined and declared is not None:
                return fallback
        return None


def _bounded(size: int) -> int:
    return min(max(size, 0), PAGE_SIZE_MAX)


def _is_list(kind: GraphQLOutputType) -> bool:
    return is_list_type(kind.of_type if is_non_null_type(kind) else kind)
