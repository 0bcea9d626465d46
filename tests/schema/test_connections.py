"""Pages by keyset, and ids that name their type."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
import strawberry

from core.errors import InvalidInput
from core.ids import Kind, new_id, outside
from core.pages import Cursor, Page
from schema.connections import Node, connection, load_node, page_request
from tests.schema.toy import ToyRow

TENANT = UUID(int=7)
OTHER = UUID(int=8)


def row(number: int) -> ToyRow:
    return ToyRow(UUID(int=number), datetime(2026, 1, 1, 0, 0, number, tzinfo=UTC), number)


def test_the_last_cursor_of_a_page_leads_to_the_next() -> None:
    page = connection(Page([row(2), row(1)], has_next=True), lambda found: found, TENANT)

    end = page.page_info.end_cursor
    assert end is not None
    assert end == page.edges[-1].cursor
    assert page_request(5, end, TENANT).after == Cursor(row(1).created_at, row(1).id)


def test_a_cursor_works_only_in_the_database_it_is_of() -> None:
    page = connection(Page([row(1)], has_next=False), lambda found: found, TENANT)

    with pytest.raises(InvalidInput):
        page_request(5, page.edges[0].cursor, OTHER)


def test_an_empty_page_has_no_cursors() -> None:
    info = connection(Page([], has_next=False), lambda found: found, TENANT).page_info

    assert (info.start_cursor, info.end_cursor, info.has_next_page) == (None, None, False)


def test_a_page_of_a_search_that_stopped_leads_to_where_it_stopped() -> None:
    place = Cursor(row(1).created_at, row(1).id)

    for rows in ([row(3)], []):
        info = connection(Page(rows, has_next=True, place=place), lambda found: found, TENANT).page_info

        assert info.has_next_page
        assert page_request(5, info.end_cursor, TENANT).after == place


@pytest.mark.parametrize("first", [0, -1, 101])
def test_a_page_has_one_to_a_hundred_rows(first: int) -> None:
    with pytest.raises(InvalidInput):
        page_request(first, None, TENANT)


async def test_a_node_is_read_by_the_loader_of_its_prefix() -> None:
    id_ = new_id()

    async def load(_context: object, inside: UUID) -> Node:
        return Node(id=strawberry.ID(str(inside)))

    found = await load_node({Kind.PAYMENT: load}, None, outside(Kind.PAYMENT, id_))

    assert found is not None
    assert found.id == str(id_)


async def test_an_id_of_another_type_loads_nothing() -> None:
    async def load(_context: object, _inside: UUID) -> Node:
        raise AssertionError("loaded")

    assert await load_node({Kind.PAYMENT: load}, None, outside(Kind.STORE, new_id())) is None


async def test_what_is_no_id_is_refused() -> None:
    with pytest.raises(InvalidInput):
        await load_node({}, None, "1")
