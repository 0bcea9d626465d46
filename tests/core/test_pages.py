from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.ids import new_id
from core.pages import Cursor, PageRequest

instants = st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds UTC


@given(instants, st.uuids(), st.uuids())
def test_a_cursor_comes_back_as_it_went_out(at: datetime, id_: UUID, scope: UUID) -> None:
    cursor = Cursor(at, id_)

    assert Cursor.read(cursor.sealed(scope), scope) == cursor


@given(st.text())
def test_any_text_is_a_cursor_or_a_refusal(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"pageInfo\.endCursor"):
        Cursor.read(text, new_id())


def test_the_cursor_of_another_tenant_is_refused() -> None:
    cursor = Cursor(datetime(2026, 11, 21, tzinfo=UTC), new_id())

    with pytest.raises(InvalidInput, match="this list"):
        Cursor.read(cursor.sealed(new_id()), new_id())


def test_a_cursor_with_an_impossible_instant_is_refused() -> None:
    scope = new_id()
    text = Cursor(datetime(2026, 11, 21, tzinfo=UTC), new_id()).sealed(scope)
    broken = text[:22] + "_" * 10 + text[32:]

    with pytest.raises(InvalidInput):
        Cursor.read(broken, scope)


@pytest.mark.parametrize("first", [0, -1, 101])
def test_a_page_is_1_to_100_rows(first: int) -> None:
    with pytest.raises(InvalidInput, match="1 to 100"):
        PageRequest(first)
