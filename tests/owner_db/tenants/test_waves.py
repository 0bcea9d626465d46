"""How an upgrade of the fleet grows, and when it stops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owner_db.tenants.waves import must_stop, wave_sizes


@given(st.integers(0, 5_000))
def test_every_tenant_is_in_one_wave(tenants: int) -> None:
    sizes = wave_sizes(tenants)

    assert sum(sizes) == tenants
    assert all(size >= 0 for size in sizes)


def test_waves_are_a_canary_then_a_twentieth_then_a_quarter_then_all() -> None:
    assert wave_sizes(200) == [1, 9, 40, 150]
    assert wave_sizes(3) == [1, 0, 0, 2]


@pytest.mark.parametrize(
    ("wave", "finished", "failed", "stops"),
    [
        (0, 1, 0, False),
        (0, 1, 1, True),
        (1, 10, 1, False),
        (1, 10, 2, True),
        (3, 100, 5, False),
        (3, 100, 6, True),
    ],
)
def test_no_canary_may_fail_and_few_others(wave: int, finished: int, failed: int, stops: object) -> None:
    assert must_stop(wave, finished, failed) is stops
