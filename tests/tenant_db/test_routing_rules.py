"""Who may collect a payment, and in which order they are tried."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.collecting import Feature, Method
from core.currency import Currency
from core.money import Money
from core.offers import CurrencyLimits, Offer
from tenant_db.routing.rules import Candidate, Choice, OfChannel, RoutingReason, Wanted, decide

KES, USD = Currency.KES, Currency.USD
STORE, OTHER_STORE = UUID(int=1), UUID(int=2)
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS: Final = CurrencyLimits(100, 1_000_000)
MPESA: Final = Offer(
    provider="mpesa",
    name="M-Pesa",
    methods=frozenset({Method.MOBILE_MONEY}),
    features=frozenset({Feature.COLLECT}),
    currencies={KES: replace(LIMITS, step_minor=100, is_recommended=True)},
    recommendation=10,
    takes_payments=True,
    takes_accounts=True,
    needs_channel=True,
)
STRIPE: Final = Offer(
    provider="stripe",
    name="Stripe",
    methods=frozenset({Method.CARD}),
    features=frozenset({Feature.COLLECT, Feature.CAPTURE}),
    currencies={KES: LIMITS, USD: LIMITS},
    recommendation=30,
    takes_payments=True,
    takes_accounts=True,
)
PAYSTACK: Final = replace(STRIPE, provider="paystack", name="Paystack", recommendation=40)
OFFERS: Final = {offer.provider: offer for offer in (MPESA, STRIPE, PAYSTACK)}
WANTED: Final = Wanted(Money(5_000, KES), None, STORE)


def card(number: int, provider: str = "stripe", **changes: object) -> Candidate:
    made = Candidate(
        account_id=UUID(int=number),
        provider=provider,
        name=f"{provider} {number}",
        is_production=False,
        is_enabled=True,
        is_default=False,
        priority=100,
        currencies=frozenset({KES, USD}),
        created_at=EPOCH + timedelta(minutes=number),
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the names are checked when it is made


def channel(number: int, store: UUID = STORE, **changes: object) -> Candidate:
    of = OfChannel(UUID(int=1_000 + number), store, is_active=True, is_primary=False)
    return card(number, "mpesa", **{"currencies": frozenset({KES}), "channel": of, **changes})


def primary(number: int, store: UUID = STORE) -> Candidate:
    made = channel(number, store)
    assert made.channel is not None
    return replace(made, channel=replace(made.channel, is_primary=True))


def tried(
    *candidates: Candidate, wanted: Wanted = WANTED, broken: frozenset[UUID] = frozenset()
) -> list[int]:
    """The accounts that may collect, in their order."""
    choice = decide(wanted, candidates, OFFERS, broken)
    return [one.candidate.account_id.int for one in choice.considered if one.place is not None]


@pytest.mark.parametrize(
    ("candidates", "order"),
    [
        ((card(1), card(2, is_default=True)), [2, 1]),
        ((card(1), card(2, priority=50)), [2, 1]),
        ((card(1, priority=1), card(2, is_default=True)), [2, 1]),
        ((card(1, "paystack"), card(2, "stripe")), [2, 1]),
        ((card(1, "paystack", priority=99), card(2, "stripe")), [1, 2]),
        # What the catalog recommends for the currency comes before its general order.
        ((card(1), channel(2)), [2, 1]),
        ((card(1, priority=50), channel(2)), [1, 2]),
        ((channel(1, OTHER_STORE), channel(2, STORE)), [2, 1]),
        ((channel(1), primary(2)), [2, 1]),
        ((primary(1, OTHER_STORE), channel(2, STORE)), [2, 1]),
        # A default channel makes all channels come first, each store's own before the others.
        ((channel(1, OTHER_STORE, is_default=True), channel(2, STORE), card(3, priority=1)), [2, 1, 3]),
        ((card(2), card(1)), [1, 2]),
    ],
)
def test_the_order_in_which_accounts_are_tried(candidates: tuple[Candidate, ...], order: list[int]) -> None:
    assert tried(*candidates) == order


@pytest.mark.parametrize(
    ("candidate", "wanted", "reason"),
    [
        (card(1, is_enabled=False), WANTED, RoutingReason.ACCOUNT_DISABLED),
        (card(1), replace(WANTED, excluded=frozenset({UUID(int=1)})), RoutingReason.ALREADY_TRIED),
        (card(1), replace(WANTED, amount=Money(5_000, Currency.EUR)), RoutingReason.CURRENCY_NOT_SUPPORTED),
        (card(1, currencies=frozenset({USD})), WANTED, RoutingReason.CURRENCY_NOT_SUPPORTED),
        (card(1), replace(WANTED, method=Method.MOBILE_MONEY), RoutingReason.METHOD_NOT_SUPPORTED),
        (channel(1), replace(WANTED, needs=frozenset({Feature.CAPTURE})), RoutingReason.FEATURE_MISSING),
        (card(1), replace(WANTED, amount=Money(99, KES)), RoutingReason.AMOUNT_TOO_SMALL),
        (card(1), replace(WANTED, amount=Money(1_000_001, KES)), RoutingReason.AMOUNT_TOO_LARGE),
        (channel(1), replace(WANTED, amount=Money(5_050, KES)), RoutingReason.AMOUNT_NOT_WHOLE),
        (card(1, "nobody"), WANTED, RoutingReason.PROVIDER_INACTIVE),
        (card(1, "mpesa"), WANTED, RoutingReason.CHANNEL_MISSING),
        (
            channel(1, channel=OfChannel(UUID(int=9), STORE, is_active=False, is_primary=True)),
            WANTED,
            RoutingReason.CHANNEL_NOT_ACTIVE,
        ),
    ],
    ids=lambda value: value.value if isinstance(value, RoutingReason) else "",
)
def test_what_keeps_an_account_from_collecting(
    candidate: Candidate, wanted: Wanted, reason: RoutingReason
) -> None:
    choice = decide(wanted, [candidate], OFFERS, frozenset())

    assert (choice.chosen, [one.reason for one in choice.considered]) == (None, [reason])
    assert choice.considered[0].why.endswith(".")


def test_what_is_recommended_for_the_currency_comes_before_the_general_order() -> None:
    advised = replace(PAYSTACK, currencies={**PAYSTACK.currencies, USD: replace(LIMITS, is_recommended=True)})
    both = [card(1, "stripe"), card(2, "paystack")]
    for currency, first in ((USD, 2), (KES, 1)):
        wanted = replace(WANTED, amount=Money(5_000, currency))
        chosen = decide(wanted, both, {**OFFERS, "paystack": advised}, frozenset()).chosen
        assert chosen is not None
        assert chosen.account_id.int == first


@pytest.mark.parametrize("minor", [100, 1_000_000])
def test_both_ends_of_the_limits_are_taken(minor: int) -> None:
    assert tried(card(1), wanted=replace(WANTED, amount=Money(minor, KES))) == [1]


def test_an_open_circuit_is_passed_over() -> None:
    choice = decide(WANTED, [card(1, is_default=True), card(2)], OFFERS, {UUID(int=1)})

    assert choice.chosen is not None
    assert choice.chosen.account_id.int == 2
    assert choice.considered[-1].reason is RoutingReason.CIRCUIT_OPEN


def test_no_real_payment_ends_in_a_sandbox() -> None:
    sandbox = card(1, is_default=True)

    assert tried(sandbox, card(2, is_production=True)) == [2]
    # Not even where the production account can't be reached, or takes another currency.
    assert tried(sandbox, card(2, is_production=True), broken=frozenset({UUID(int=2)})) == []
    assert tried(sandbox, card(2, is_production=True, currencies=frozenset({USD}))) == []
    # One that is switched off collects no real money yet; unless it has done so before.
    assert tried(sandbox, card(2, is_production=True, is_enabled=False)) == [1]
    assert tried(sandbox, card(2, is_production=True, is_enabled=False, has_collected=True)) == []
    assert tried(sandbox, card(2, "unknown", is_production=True, has_collected=True)) == []


candidates_ = st.builds(
    lambda number, kind, default, enabled, priority, production, store, is_primary: (
        card(
            number, kind, is_enabled=enabled, is_default=default, priority=priority, is_production=production
        )
        if kind != "mpesa"
        else channel(
            number,
            is_enabled=enabled,
            is_default=default,
            priority=priority,
            is_production=production,
            channel=OfChannel(UUID(int=1_000 + number), store, is_active=enabled, is_primary=is_primary),
        )
    ),
    st.integers(1, 10_000),
    st.sampled_from(["stripe", "paystack", "mpesa", "nobody"]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from([STORE, OTHER_STORE]),
    st.booleans(),
)
some = st.lists(candidates_, max_size=8, unique_by=lambda one: one.account_id)
wishes = st.builds(
    Wanted,
    st.builds(Money, st.integers(1, 2_000_000), st.sampled_from([KES, USD])),
    st.sampled_from([None, Method.CARD, Method.MOBILE_MONEY]),
    st.sampled_from([None, STORE]),
)


@given(some, wishes, st.data())
def test_every_account_is_told_one_thing_and_the_order_given_does_not_matter(
    given_: list[Candidate], wanted: Wanted, data: st.DataObject
) -> None:
    broken = frozenset(one.account_id for one in given_ if data.draw(st.booleans()))
    choice = decide(wanted, given_, OFFERS, broken)

    assert sorted(one.candidate.account_id for one in choice.considered) == sorted(
        one.account_id for one in given_
    )
    places = [one.place for one in choice.considered if one.place is not None]
    assert places == list(range(1, len(places) + 1))
    assert (choice.chosen is None) == (not places)
    for one in choice.considered:
        assert (one.place == 1) == (one.reason is RoutingReason.CHOSEN)
        assert one.place is None or one.candidate.account_id not in broken
        assert one.why
    shuffled = random.Random(1).sample(given_, len(given_))  # noqa: S311 - any other order will do
    assert decide(wanted, shuffled, OFFERS, broken).considered == choice.considered


@given(some, wishes)
def test_whoever_is_next_takes_over_where_the_first_did_not(given_: list[Candidate], wanted: Wanted) -> None:
    first = decide(wanted, given_, OFFERS, frozenset())
    line = in_line(first)
    for tried_count in range(1, len(line) + 1):
        excluded = frozenset(line[:tried_count])

        after = decide(replace(wanted, excluded=excluded), given_, OFFERS, frozenset())

        assert not excluded & set(in_line(after))
        assert set(in_line(after)) == set(line[tried_count:])


def in_line(choice: Choice) -> list[UUID]:
    return [one.candidate.account_id for one in choice.considered if one.place is not None]
