"""What a document may look like, checked before it is validated.

Validation compares fields that share a response name with each other, and walks of every fragment
path double with each level of fragments that spread another twice. So one walk, with one summary
per fragment, comes first: sums and maxima of summaries, never a path twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)

SOURCE_CHARACTERS_MAX: Final = 20_000
TOKENS_MAX: Final = 1_000
COMMENTS_MAX: Final = 100
DEPTH_MAX: Final = 12
ALIASES_MAX: Final = 15
DIRECTIVES_MAX: Final = 50
REPEATS_MAX: Final = 20
"""Fields that are merged into one because they share a response name."""
ROOT_FIELDS_MAX: Final = 20
ROOT_MUTATIONS_MAX: Final = 2
TOO_COMPLEX: Final = "QUERY_TOO_COMPLEX"
_CLAMP: Final = 1_000_000


@dataclass(slots=True)
class Summary:
    """What a selection set adds up to, its fragments included."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    fields: int = 0
    repeats: dict[str, int] = field(default_factory=dict)
    """Response name to the fields that are merged under it, here or below."""

    @property
    def most_repeats(self) -> int:
        return max(self.repeats.values(), default=0)

    def merge(self, other: "Summary") -> None:
        """Add the selections of a fragment to those beside it."""
        self.depth = max(self.depth, other.depth)
        self.aliases = min(_CLAMP, self.aliases + other.aliases)
        self.directives = min(_CLAMP, self.directives + other.directives)
        self.fields = min(_CLAMP, self.fields + other.fields)
        for name, repeats in other.repeats.items():
            self.repeat(name, repeats)

    def repeat(self, name: str, times: int) -> None:
        """Raises GraphQLError at once where a name is merged too often: the rest needs no look."""
        total = self.repeats.get(name, 0) + times
        if total > REPEATS_MAX:
            raise too_complex(f"`{name}` is selected more than {REPEATS_MAX} times.")
        self.repeats[name] = total


def too_complex(message: str) -> GraphQLError:
    return GraphQLError(f"This document is too complex: {message}", extensions={"code": TOO_COMPLEX})


def check_structure(document: DocumentNode) -> GraphQLError | None:
    """The first limit that a document exceeds, if any. Linear in its size."""
    walk = _Walk(document)
    try:
        for definition in document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                _check_operation(definition, walk.operation(definition))
            elif isinstance(definition, FragmentDefinitionNode):
                # Its depth counts where it is used; repeats are refused wherever they stand.
                walk.fragment(definition.name.value)
    except GraphQLError as error:
        return error
    return None


def _check_operation(operation: OperationDefinitionNode, summary: Summary) -> None:
    is_mutation = operation.operation is OperationType.MUTATION
    limit = ROOT_MUTATIONS_MAX if is_mutation else ROOT_FIELDS_MAX
    if len(summary.repeats) > limit:
        raise too_complex(f"at most {limit} fields at the root.")
    _check(summary)


def _check(summary: Summary) -> None:
    if summary.depth > DEPTH_MAX:
        raise too_complex(f"at most {DEPTH_MAX} levels of fields.")
    if summary.aliases > ALIASES_MAX:
        raise too_complex(f"at most {ALIASES_MAX} aliases.")
    if summary.directives > DIRECTIVES_MAX:
        raise too_complex(f"at most {DIRECTIVES_MAX} directives.")


class _Walk:
    """One pass over a document; each fragment is summed up once."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._summaries: dict[str, Summary] = {}

    def operation(self, operation: OperationDefinitionNode) -> Summary:
        summary = self._selections(operation.selection_set)
        summary.directives += len(operation.directives or ())
        return summary

    def fragment(self, name: str) -> Summary:
        known = self._summaries.get(name)
        if known is not None:
            return known
        # Known as empty while it is being summed up: so a cycle ends, and validation rejects it.
        self._summaries[name] = Summary()
        definition = self._fragments.get(name)
        if definition is not None:
            self._summaries[name] = self._selections(definition.selection_set)
            self._summaries[name].directives += len(definition.directives or ())
        return self._summaries[name]

    def _selections(self, selection_set: SelectionSetNode) -> Summary:
        summary = Summary()
        for selection in selection_set.selections:
            summary.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                self._add_field(summary, selection)
            elif isinstance(selection, InlineFragmentNode):
                summary.merge(self._selections(selection.selection_set))
            elif isinstance(selection, FragmentSpreadNode):
                summary.merge(self.fragment(selection.name.value))
        return summary

    def _add_field(self, summary: Summary, node: FieldNode) -> None:
        name = node.name.value
        below = self._selections(node.selection_set) if node.selection_set else Summary()
        # Introspection nests deeply by nature; a rule of graphql-core bounds it.
        depth = 0 if name.startswith("__") else 1 + below.depth
        summary.depth = max(summary.depth, depth)
        summary.aliases = min(_CLAMP, summary.aliases + below.aliases + _is_alias(node))
        summary.directives = min(_CLAMP, summary.directives + below.directives)
        summary.fields = min(_CLAMP, summary.fields + below.fields + 1)
        # Fields of one name are merged, and so is what they select.
        summary.repeat(node.alias.value if node.alias else name, max(1, below.most_repeats))


def _is_alias(node: FieldNode) -> bool:
    return node.alias is not None and node.name.value != "__typename"


def operations(document: DocumentNode) -> Iterator[OperationDefinitionNode]:
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            yield definition
