"""What whoever holds a link to one order's page may ask for: that page's own fields, and nothing else.

This is the second lock: `TenantContext.signed_in` refuses payers, too. Fields that ask for no sign-in,
such as `signIn` itself, have only this one.
"""

from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from tenancy.context import PAYER

CHECKOUT_FIELDS: Final = frozenset({"checkout", "payCheckout", "checkoutUpdated"})
NOT_FOR_PAYERS: Final = ("FORBIDDEN", "A link to pay opens its own page alone.")


def is_admitted(context: object, roots: frozenset[str]) -> bool:
    """Whether this caller may run an operation of these root fields at all."""
    principal = getattr(context, "principal", None)
    return principal is None or principal.kind != PAYER or roots <= CHECKOUT_FIELDS


def root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> frozenset[str]:
    """The names of an operation's root fields, through all fragments; `__typename` is left out."""
    fragments = {
        definition.name.value: definition.selection_set
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    found: set[str] = set()
    seen: set[str] = set()
    waiting: list[SelectionSetNode] = [operation.selection_set]
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FieldNode):
                found.add(selection.name.value)
            elif isinstance(selection, InlineFragmentNode):
                waiting.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in seen:
                seen.add(selection.name.value)
                waiting.append(fragments[selection.name.value])
    return frozenset(found - {"__typename"})
