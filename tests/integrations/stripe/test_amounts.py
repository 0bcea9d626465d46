import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.currency import Currency
from core.money import Money
from integrations.errors import BadMessage, ProviderRejected
from integrations.stripe.amounts import REFUSED, of_stripe, to_stripe
from tests.integrations.stripe.conftest import CALM

SERVED = sorted(set(Currency) - {Currency(code) for code in REFUSED if code in set(Currency)})


@pytest.mark.parametrize(
    ("code", "minor", "theirs"),
    [
        ("KES", 123_456, 123_456),
        ("NGN", 100, 100),
        ("USD", 1, 1),
        ("JPY", 500, 500),
        ("RWF", 500, 500),
        ("XOF", 500, 500),
        ("XAF", 500, 500),
        # Five shillings of Uganda are 500 at Stripe, and always end in 00.
        ("UGX", 5, 500),
    ],
)
def test_stripe_counts_in_units_of_its_own(code: str, minor: int, theirs: int) -> None:
    money = Money(minor, Currency(code))

    assert to_stripe(money) == theirs
    assert of_stripe(theirs, code.lower()) == money


@CALM
@given(currency=st.sampled_from(SERVED), minor=st.integers(1, 10**10 - 1))
def test_there_and_back_is_exact(currency: Currency, minor: int) -> None:
    money = Money(minor, currency)

    assert of_stripe(to_stripe(money), currency.value.lower()) == money


@pytest.mark.parametrize("code", ["KWD", "USDC", "CKES"])
def test_what_stripe_counts_in_thousandths_or_not_at_all_is_refused(code: str) -> None:
    with pytest.raises(ProviderRejected):
        to_stripe(Money(1_000, Currency(code)))
    with pytest.raises(BadMessage):
        of_stripe(1_000, code.lower())


@pytest.mark.parametrize("minor", [0, -1, 10**12])
def test_an_amount_is_positive_and_has_at_most_twelve_digits(minor: int) -> None:
    with pytest.raises(ProviderRejected):
        to_stripe(Money(minor, Currency.USD))


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (501, "ugx"),
        (10**15, "usd"),
        (True, "usd"),
        ("500", "usd"),
        (None, "usd"),
        (500, None),
        (500, "xxx"),
        (500, "usdollar"),
    ],
)
def test_what_is_no_amount_is_no_money(amount: object, code: object) -> None:
    with pytest.raises(BadMessage):
        of_stripe(amount, code)  # type: ignore[arg-type] # what hostile JSON may hold
