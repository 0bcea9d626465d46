"""Documents: parsed, checked and validated once, then kept by the hash of their text.

Trusted documents are named by the SHA-256 of their text, in `extensions.persistedQuery.sha256Hash`
or as `documentId: "sha256:…"`; the registry of them is the owner's table `persisted_documents`.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from schema.admitting import root_fields
from schema.cost import OperationCost, operation_cost
from schema.inputs import LongList, long_lists
from schema.limits import (
    COMMENTS_MAX,
    SOURCE_CHARACTERS_MAX,
    TOKENS_MAX,
    check_structure,
    operations,
    too_complex,
)
from schema.plans import Plans

ENTRIES_MAX: Final = 2_000
CHARACTERS_MAX: Final = 250_000
"""Of all kept texts; a parsed document takes about 120 bytes for each: 30 MB."""
ERRORS_MAX: Final = 5
MISSING_S: Final = 10.0
"""How long an unknown id stays unknown without another look."""

FindDocument = Callable[[str], Awaitable[str | None]]
"""The text of a trusted document by its SHA-256 in hex; None: there is none."""

SYNTAX = "GRAPHQL_PARSE_FAILED"
INVALID = "GRAPHQL_VALIDATION_FAILED"


class Introspection(StrEnum):
    """Whether clients may read the schema itself."""

    ALLOWED = "allowed"
    REFUSED = "refused"


class Accepted(StrEnum):
    """Which documents clients may send."""

    ANY = "any"
    PERSISTED_ONLY = "persisted_only"


class Runnable(NamedTuple):
    """One operation of a document."""

    node: OperationDefinitionNode
    cost: OperationCost
    long_lists: Sequence[LongList]
    roots: frozenset[str]
    """The names of its root fields, such as `payment`; `__typename` is none."""


@dataclass(frozen=True, slots=True)
class Document:
    """One text, as far as it goes: with `errors`, it never runs."""

    length: int
    errors: tuple[GraphQLError, ...] = ()
    ast: DocumentNode | None = None
    operations: Mapping[str | None, Runnable] = field(default_factory=dict)
    plans: Plans | None = None
    """None where @skip or @include make the selection depend on variables."""

    def operation(self, name: str | None) -> Runnable | None:
        """The operation of that name; without a name, the only one."""
        if name is None:
            return next(iter(self.operations.values())) if len(self.operations) == 1 else None
        return self.operations.get(name)


class Documents:
    """The documents of one schema, kept in a bounded LRU."""

    def __init__(
        self, schema: GraphQLSchema, introspection: Introspection, weights: Mapping[str, int]
    ) -> None:
        self._schema = schema
        self._introspection = introspection
        self._weights = weights
        self._kept: OrderedDict[tuple[Introspection, bytes], Document] = OrderedDict()
        self._characters = 0
        rules = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
        hidden = introspection is Introspection.REFUSED
        self._rules = (*rules, NoSchemaIntrospectionCustomRule) if hidden else rules

    def read(self, text: str) -> Document:
        """Parse, check and validate a text, or find it done."""
        key = self._key(text)
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
            return known
        document = self._made(text)
        self._kept[key] = document
        self._characters += document.length
        while len(self._kept) > ENTRIES_MAX or self._characters > CHARACTERS_MAX:
            _, oldest = self._kept.popitem(last=False)
            self._characters -= oldest.length
        return document

    def knows(self, text: str) -> bool:
        """Whether reading it costs nothing."""
        return self._key(text) in self._kept

    def _key(self, text: str) -> tuple[Introspection, bytes]:
        return self._introspection, sha256(text.encode(errors="surrogatepass")).digest()

    def _made(self, text: str) -> Document:
        if len(text) > SOURCE_CHARACTERS_MAX:
            # Its text is not kept, so neither is its length.
            return Document(0, (too_complex(f"at most {SOURCE_CHARACTERS_MAX} characters."),))
        try:
            ast = parse(
                text,
                max_lexical_tokens=TOKENS_MAX,
                max_comments=COMMENTS_MAX,
                max_source_length=SOURCE_CHARACTERS_MAX,
            )
        except GraphQLError as syntax:
            syntax.extensions = {"code": SYNTAX}
            return Document(len(text), (syntax.with_traceback(None),))
        excess = check_structure(ast)
        if excess is not None:
            return Document(len(text), (excess.with_traceback(None),))
        errors = validate(self._schema, ast, self._rules, max_errors=ERRORS_MAX, hide_suggestions=True)
        for error in errors:
            error.extensions = {"code": INVALID}
        if errors:
            return Document(len(text), tuple(errors))
        return self._executable(text, ast)

    def _executable(self, text: str, ast: DocumentNode) -> Document:
        runnable = {
            operation.name.value if operation.name else None: self._runnable(ast, operation)
            for operation in operations(ast)
        }
        # Cheaper than a walk, and wrong only in that a string with @ in it is planned each time.
        return Document(len(text), (), ast, runnable, None if "@" in text else Plans())

    def _runnable(self, ast: DocumentNode, operation: OperationDefinitionNode) -> Runnable:
        places = long_lists(self._schema, operation)
        cost = operation_cost(self._schema, ast, operation, self._weights, places)
        return Runnable(operation, cost, places, root_fields(ast, operation))


class TrustedDocuments:
    """The registry of documents that clients name by their hash, as one process knows it."""

    def __init__(self, find: FindDocument, accepted: Accepted) -> None:
        self._find = find
        self._accepted = accepted
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._missing: OrderedDict[str, float] = OrderedDict()

    async def text(self, sent: str | None, document_id: str | None) -> str | None:
        """The text to run, from what was sent: a text, an id, or both. None: neither.

        Raises:
            GraphQLError: the id is unknown or not that of the text, or only trusted texts may run.
        """
        if document_id is None:
            if sent is None or self._accepted is Accepted.ANY:
                return sent
            document_id = _hash(sent)
            if await self._trusted(document_id) is None:
                raise _refused("PERSISTED_DOCUMENT_REQUIRED", "Only registered documents may run here.")
            return sent
        if sent is not None and _hash(sent) != document_id:
            raise _refused(
                "PERSISTED_DOCUMENT_MISMATCH", "The document's SHA-256 is not the id sent with it."
            )
        if sent is not None and self._accepted is Accepted.ANY:
            return sent
        known = await self._trusted(document_id)
        if known is None:
            raise _refused("PERSISTED_DOCUMENT_NOT_FOUND", "No document is registered under this id.")
        return known

    def knows(self, sent: str | None, document_id: str | None) -> bool:
        """Whether `text` answers without a look into the registry."""
        if sent is not None and self._accepted is Accepted.ANY:
            return True
        wanted = document_id or (None if sent is None else _hash(sent))
        return wanted is None or wanted in self._texts

    async def _trusted(self, document_id: str) -> str | None:
        if document_id in self._texts:
            self._texts.move_to_end(document_id)
            return self._texts[document_id]
        if self._missing.get(document_id, 0.0) > time.monotonic():
            return None
        text = await self._find(document_id)
        if text is None:
            self._missing[document_id] = time.monotonic() + MISSING_S
            if len(self._missing) > ENTRIES_MAX:
                self._missing.popitem(last=False)
            return None
        self._texts[document_id] = text
        if len(self._texts) > ENTRIES_MAX:
            self._texts.popitem(last=False)
        return text


async def no_documents(_document_id: str) -> str | None:
    """A registry without documents."""
    return None


def _hash(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def _refused(code: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})
