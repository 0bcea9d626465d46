from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import uuid_utils
from hypothesis import given
from hypothesis import strategies as st
from typeid import TypeID

from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import Kind, inside, lowest_id, new_id, outside, parse


@given(st.uuids(), st.sampled_from(Kind))
def test_an_id_comes_back_as_it_went_out(id_: UUID, kind: Kind) -> None:
    text = outside(kind, id_)

    assert text.startswith(f"{kind}_")
    assert inside(kind, text) == id_
    assert parse(text) == (kind, id_)


@given(st.uuids(), st.sampled_from(Kind))
def test_ids_are_type_ids(id_: UUID, kind: Kind) -> None:
    assert outside(kind, id_) == str(TypeID.from_uuid(uuid_utils.UUID(int=id_.int), kind.value))


@given(st.text())
def test_any_text_is_an_id_or_a_refusal(text: str) -> None:
    try:
        kind, id_ = parse(text)
    except InvalidInput:
        return
    assert outside(kind, id_) == text


def test_an_id_of_another_type_is_refused() -> None:
    with pytest.raises(InvalidInput, match="starts with pay_"):
        inside(Kind.PAYMENT, outside(Kind.STORE, new_id()))


def test_new_ids_are_uuid_7_and_in_order() -> None:
    ids = [new_id() for _ in range(100)]

    assert ids == sorted(ids)
    assert {id_.version for id_ in ids} == {7}


def test_an_id_of_a_moment_is_below_those_made_from_then_on_and_above_earlier_ones() -> None:
    earlier = new_id()
    between = utc_now() + timedelta(milliseconds=5)

    assert lowest_id(utc_now()) <= new_id()
    assert earlier < lowest_id(between)
    assert lowest_id(datetime.min.replace(tzinfo=UTC)).int == 0
