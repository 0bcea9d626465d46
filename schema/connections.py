"""Relay: `Node`, and connections with keyset cursors.

A list field looks like this; `first` is required or has a default of at most 100:

    @strawberry.field(description="Your payments, newest first.")
    async def payments(
        self, info: Info[TenantContext, None], first: First = 20, after: After = None
    ) -> Connection[Payment]:
        tenant_id = info.context.tenant.id
        page = await payments.payments(info.context, page_request(first, after, tenant_id))
        return connection(page, Payment.of, tenant_id, after=after)

Rows need `created_at` and `id`: the keyset of every list. Cursors are opaque and work only in the
database (`scope`: a tenant's id, or OWNER_SCOPE) they were made in.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Generic, Protocol, TypeVar, cast
from uuid import UUID

import strawberry

from core.ids import Kind, parse
from core.pages import Cursor, Page, PageRequest

Item = TypeVar("Item")
Row = TypeVar("Row", bound="Keyset")
Context = TypeVar("Context")

OWNER_SCOPE: Final = UUID(int=0)
"""Of cursors into the owner database."""

First = Annotated[int, strawberry.argument(description="How many rows to return: 1 to 100.")]
After = Annotated[
    str | None,
    strawberry.argument(description="Return rows after this cursor: the endCursor of the page before."),
]


class Keyset(Protocol):
    """A row that lists can be ordered by."""

    @property
    def created_at(self) -> datetime: ...

    @property
    def id(self) -> UUID: ...


@strawberry.interface(description="Anything with an id of its own. `node(id)` reads it back.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="Its id. The prefix before the underscore tells the type, such as pay_ or store_."
    )


NodeLoader = Callable[[Any, UUID], Awaitable[Node | None]]
"""Reads one thing with its own short session; checks the scope itself. None: there is no such thing."""


async def load_node(loaders: Mapping[Kind, NodeLoader], context: object, id: str) -> Node | None:
    """Read whatever has this id; its type is checked before anything is loaded.

    Raises:
        InvalidInput: it is no id.
    """
    kind, inside = parse(id)
    loader = loaders.get(kind)
    return None if loader is None else await loader(context, inside)


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are rows after this page.")
    has_previous_page: bool = strawberry.field(description="Whether this page began after a cursor.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first row; null if empty.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last row: the next `after`.")


@strawberry.type(description="One row of a page, with its place in the list.")
class Edge(Generic[Item]):
    node: Item = strawberry.field(description="The row.")
    cursor: str = strawberry.field(description="The place after this row; opaque.")


@strawberry.type(description="One page of a list, newest first.")
class Connection(Generic[Item]):
    edges: list[Edge[Item]] = strawberry.field(description="The rows, each with its cursor.")
    nodes: list[Item] = strawberry.field(description="The rows alone, where cursors are not needed.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


def page_request(first: int, after: str | None, scope: UUID) -> PageRequest:
    """Read the arguments of a list field.

    Raises:
        InvalidInput: `first` is not 1 to 100, or `after` is no cursor of this database.
    """
    return PageRequest(first, None if after is None else Cursor.read(after, scope))


def connection(
    page: Page[Row], to_item: Callable[[Row], Item], scope: UUID, *, after: str | None = None
) -> Connection[Item]:
    """Show a page of rows. What the client did not select is not made: cursors above all."""
    return cast("Connection[Item]", LazyConnection(page, to_item, scope, after))


class LazyConnection(Generic[Row, Item]):
    """Has the attributes of Connection, made on first use."""

    __slots__ = ("_after", "_items", "_page", "_scope", "_to_item")

    def __init__(
        self, page: Page[Row], to_item: Callable[[Row], Item], scope: UUID, after: str | None
    ) -> None:
        self._page = page
        self._to_item = to_item
        self._scope = scope
        self._after = after
        self._items: list[Item] | None = None

    @property
    def nodes(self) -> list[Item]:
        if self._items is None:
            self._items = [self._to_item(row) for row in self._page.rows]
        return self._items

    @property
    def edges(self) -> list["_LazyEdge[Item]"]:
        return [
            _LazyEdge(node, row, self._scope) for node, row in zip(self.nodes, self._page.rows, strict=True)
        ]

    @property
    def page_info(self) -> PageInfo:
        rows = self._page.rows
        return PageInfo(
            has_next_page=self._page.has_next,
            has_previous_page=self._after is not None,
            start_cursor=_cursor(rows[0], self._scope) if rows else None,
            end_cursor=self._end(),
        )

    def _end(self) -> str | None:
        if self._page.place is not None:
            return self._page.place.sealed(self._scope)
        return _cursor(self._page.rows[-1], self._scope) if self._page.rows else None


class _LazyEdge(Generic[Item]):
    """Has the attributes of Edge; its cursor is made on first use."""

    __slots__ = ("_row", "_scope", "node")

    def __init__(self, node: Item, row: Keyset, scope: UUID) -> None:
        self.node = node
        self._row = row
        self._scope = scope

    @property
    def cursor(self) -> str:
        return _cursor(self._row, self._scope)


def _cursor(row: Keyset, scope: UUID) -> str:
    return Cursor(row.created_at, row.id).sealed(scope)
