"""Codes that people read out, and slugs that become subdomains."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from owner_db.tenants.rules import (
    ALPHABET,
    NUMBERS_MAX,
    RESERVED_SLUGS,
    code_of,
    parse_code,
    require_slug,
    slug_from,
)

numbers = st.integers(0, NUMBERS_MAX - 1)


@given(numbers)
def test_a_code_is_read_as_people_type_it(number: int) -> None:
    code = code_of(number)

    assert parse_code(code) == code
    assert parse_code(code.removeprefix("HZ-").lower()) == code
    assert parse_code(f" {code.replace('0', 'O').replace('1', 'l')} ") == code


@given(numbers, st.integers(0, 5), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_always_noticed(number: int, place: int, wrong: str) -> None:
    body = code_of(number).removeprefix("HZ-")
    if body[place] == wrong:
        return
    with pytest.raises(InvalidInput):
        parse_code(body[:place] + wrong + body[place + 1 :])


@given(numbers, st.integers(0, 4))
def test_two_swapped_neighbours_are_always_noticed(number: int, place: int) -> None:
    body = code_of(number).removeprefix("HZ-")
    if body[place] == body[place + 1]:
        return
    with pytest.raises(InvalidInput):
        parse_code(body[:place] + body[place + 1] + body[place] + body[place + 2 :])


def test_no_two_numbers_share_a_code_and_neighbours_look_unlike() -> None:
    codes = [code_of(number) for number in range(1_000, 11_000)]

    assert len(set(codes)) == len(codes)
    assert all(one[3:5] != other[3:5] for one, other in pairwise(codes[:100]))


@pytest.mark.parametrize("number", [-1, NUMBERS_MAX])
def test_a_number_beyond_the_codes_is_a_bug(number: int) -> None:
    with pytest.raises(ValueError, match="no code"):
        code_of(number)


@pytest.mark.parametrize(
    "text", ["", "HZ-", "HZ-4R2D8", "HZ-4R2D8WX", "HZ-4R2D8U", "mama-njeri", "HZ-4R2D8ü"]
)
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_code(text)


@pytest.mark.parametrize("slug", ["abc", "a-b", "mama-njeris-shop", "9to5", "a" * 40])
def test_a_slug_can_be_a_subdomain(slug: str) -> None:
    assert require_slug(slug) == slug


@pytest.mark.parametrize(
    "slug", ["", "ab", "-ab", "ab-", "a--b", "Abc", "a.b", "a_b", "a" * 41, "abc\n", "www", "mpesa"]
)
def test_a_slug_that_can_not_or_may_not_is_refused(slug: str) -> None:
    with pytest.raises(InvalidInput):
        require_slug(slug)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Mama Njeri's Shop", "mama-njeris-shop"),
        ("Café Élan & Co.", "cafe-elan-co"),
        ("Admin", "shop-admin"),
        ("東京", "shop"),
        ("X", "shop-x"),
    ],
)
def test_a_name_becomes_a_slug(name: str, slug: str) -> None:
    assert slug_from(name) == slug


@given(st.text(min_size=1, max_size=100))
def test_whatever_the_name_its_slug_can_be_used_with_a_suffix(name: str) -> None:
    require_slug(f"{slug_from(name)}-a1b2c3")


def test_reserved_words_are_slugs_themselves() -> None:
    assert all(word == word.lower() and " " not in word for word in RESERVED_SLUGS)
