import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.phone import Phone


@pytest.mark.parametrize("written", ["0700 000 001", "+254 700-000-001", "254700000001", "700000001"])
def test_forms_people_write_mean_the_same_number(written: str) -> None:
    assert Phone.parse(written).e164 == "+254700000001"


@given(st.text())
def test_any_text_is_a_number_or_a_refusal(text: str) -> None:
    try:
        phone = Phone.parse(text)
    except InvalidInput:
        return
    assert phone.e164.startswith("+")
    assert phone.digits.isdigit()


def test_too_short_a_number_is_refused() -> None:
    with pytest.raises(InvalidInput, match="too short or too long"):
        Phone.parse("+25470")


def test_a_number_prints_masked() -> None:
    phone = Phone.parse("+254700000001")

    assert str(phone) == "+2547*****001"
    assert "254700000001" not in repr(phone)
