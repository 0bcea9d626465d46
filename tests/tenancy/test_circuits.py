"""Whether a provider account answers, as all processes see it together."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
import redis.asyncio

from core.clock import utc_now
from core.ids import new_id
from tenancy.circuits import (
    FAILURE_WINDOW,
    FAILURES_MAX,
    OPEN_FOR,
    PROBE_FOR,
    Circuits,
    CircuitState,
    circuit_key,
)

TENANT, OTHER = new_id(), new_id()


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def circuits(redis_client: redis.asyncio.Redis, hand: Hand) -> Circuits:
    return Circuits(redis_client, hand)


@pytest.fixture
def account() -> UUID:
    return new_id()


async def state(circuits: Circuits, account: UUID, tenant: UUID = TENANT) -> CircuitState:
    return (await circuits.states(tenant, [account]))[account]


async def fail(circuits: Circuits, account: UUID, times: int = FAILURES_MAX) -> None:
    for _ in range(times):
        await circuits.record(TENANT, account, is_success=False)


async def test_failures_in_a_row_open_the_circuit_and_one_less_does_not(
    circuits: Circuits, account: UUID
) -> None:
    await fail(circuits, account, FAILURES_MAX - 1)
    assert await state(circuits, account) is CircuitState.CLOSED
    assert await circuits.allow(TENANT, account)

    await fail(circuits, account, 1)

    assert await state(circuits, account) is CircuitState.OPEN
    assert await circuits.open_ones(TENANT, [account]) == {account}
    assert not await circuits.allow(TENANT, account)


async def test_a_success_between_starts_the_count_anew(circuits: Circuits, account: UUID) -> None:
    await fail(circuits, account, FAILURES_MAX - 1)
    await circuits.record(TENANT, account, is_success=True)
    await fail(circuits, account, FAILURES_MAX - 1)

    assert await state(circuits, account) is CircuitState.CLOSED


async def test_failures_far_apart_are_no_outage(circuits: Circuits, hand: Hand, account: UUID) -> None:
    for _ in range(2 * FAILURES_MAX):
        await fail(circuits, account, 1)
        hand.move(FAILURE_WINDOW / (FAILURES_MAX - 2))
    assert await state(circuits, account) is CircuitState.CLOSED

    # The last of them still count, where more come soon.
    await fail(circuits, account, FAILURES_MAX - 2)

    assert await state(circuits, account) is CircuitState.OPEN


async def test_a_half_open_circuit_lets_one_probe_of_many_rivals_through(
    circuits: Circuits, hand: Hand, account: UUID
) -> None:
    await fail(circuits, account)
    hand.move(OPEN_FOR)
    assert await state(circuits, account) is CircuitState.HALF_OPEN

    allowed = await asyncio.gather(*[circuits.allow(TENANT, account) for _ in range(20)])

    assert allowed.count(True) == 1
    assert await state(circuits, account) is CircuitState.HALF_OPEN


@pytest.mark.parametrize("after", [CircuitState.CLOSED, CircuitState.OPEN])
async def test_the_probe_decides(circuits: Circuits, hand: Hand, account: UUID, after: CircuitState) -> None:
    is_success = after is CircuitState.CLOSED
    await fail(circuits, account)
    hand.move(OPEN_FOR)
    assert await circuits.allow(TENANT, account)

    await circuits.record(TENANT, account, is_success=is_success)

    assert await state(circuits, account) is after
    assert await circuits.allow(TENANT, account) is is_success
    hand.move(OPEN_FOR)
    # After another refusal another single probe may go.
    assert await circuits.allow(TENANT, account)


async def test_a_probe_that_died_is_replaced(circuits: Circuits, hand: Hand, account: UUID) -> None:
    await fail(circuits, account)
    hand.move(OPEN_FOR)
    assert await circuits.allow(TENANT, account)

    hand.move(PROBE_FOR - timedelta(milliseconds=1))
    assert not await circuits.allow(TENANT, account)
    hand.move(timedelta(milliseconds=1))

    assert await circuits.allow(TENANT, account)


async def test_failures_of_what_was_sent_before_do_not_keep_it_open_for_longer(
    circuits: Circuits, hand: Hand, account: UUID
) -> None:
    await fail(circuits, account)
    hand.move(OPEN_FOR / 2)
    await fail(circuits, account)
    hand.move(OPEN_FOR / 2)

    assert await state(circuits, account) is CircuitState.HALF_OPEN


async def test_another_tenant_and_another_account_are_untouched(
    circuits: Circuits, redis_client: redis.asyncio.Redis, account: UUID
) -> None:
    await fail(circuits, account)

    assert await state(circuits, account, OTHER) is CircuitState.CLOSED
    assert await circuits.allow(OTHER, account)
    assert await state(circuits, new_id()) is CircuitState.CLOSED
    assert await redis_client.keys(f"*{account}*") == [circuit_key(TENANT, account).encode()]
    # A success of the other tenant's account with the same id closes nothing here.
    await circuits.record(OTHER, account, is_success=True)
    assert await state(circuits, account) is CircuitState.OPEN


async def test_without_redis_payments_go_through(account: UUID) -> None:
    away = Circuits(redis.asyncio.Redis.from_url("unix:///nowhere/redis.sock"), utc_now)

    await fail(away, account)

    assert await away.allow(TENANT, account)
    assert await state(away, account) is CircuitState.CLOSED


async def test_a_lost_state_is_a_closed_circuit(
    circuits: Circuits, redis_client: redis.asyncio.Redis, account: UUID
) -> None:
    await fail(circuits, account)
    await redis_client.delete(circuit_key(TENANT, account))

    assert await state(circuits, account) is CircuitState.CLOSED
