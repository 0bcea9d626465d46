"""A stored refusal comes back as what it was."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from core.currency import Currency
from core.errors import DomainError
from core.money import Money
from tenancy.refusals import pack, unpack


class FloorReached(DomainError):
    """A refusal with every kind of attribute that can be stored."""

    code = "TEST_FLOOR_REACHED"
    is_stored = True

    def __init__(self, available: Money, account: UUID, since: datetime) -> None:
        super().__init__(f"Only {available} is available.")
        self.available = available
        self.currency = available.currency
        self.account = account
        self.since = since
        self.tries = 10**30
        self.is_final = True
        self.note: str | None = None


class Unstorable(DomainError):
    code = "TEST_UNSTORABLE"
    is_stored = True

    def __init__(self) -> None:
        super().__init__("It holds a set.")
        self.of = {1}


REFUSAL = FloorReached(Money(10**37, Currency.KES), UUID(int=7), datetime(2026, 11, 21, 10, 0, tzinfo=UTC))


def test_a_refusal_survives_its_row() -> None:
    again = unpack(REFUSAL.code, json.loads(json.dumps(pack(REFUSAL))))

    assert isinstance(again, FloorReached)
    assert str(again) == str(REFUSAL)
    assert vars(again) == vars(REFUSAL)
    assert isinstance(again.currency, Currency)


def test_what_can_not_be_stored_is_a_bug_where_it_is_stored() -> None:
    with pytest.raises(ValueError, match="Unstorable can't be stored: it holds a set"):
        pack(Unstorable())


@pytest.mark.parametrize("code", ["TEST_NEVER_SEEN", "NOT_FOUND"])
def test_a_code_that_is_not_stored_is_no_refusal(code: str) -> None:
    with pytest.raises(LookupError, match=code):
        unpack(code, {})
