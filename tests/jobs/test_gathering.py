"""What jobs of a tenant ask for at the same moment is asked of its database once."""

import asyncio
from collections.abc import Sequence

import pytest

from jobs.gathering import Gathering
from tenancy.sessions import Tenant


async def test_each_tenants_items_are_answered_together_and_in_order(
    tenant: Tenant, second_tenant: Tenant
) -> None:
    asked: list[tuple[Tenant, list[int]]] = []

    async def answer(of: Tenant, items: Sequence[int]) -> list[int]:
        asked.append((of, list(items)))
        return [10 * item for item in items]

    gathering = Gathering(answer)
    asked_for = gathering.ask(tenant, 1), gathering.ask(second_tenant, 2), gathering.ask(tenant, 3)
    answers = list(await asyncio.gather(*asked_for))

    assert answers == [10, 20, 30]
    assert asked == [(tenant, [1, 3]), (second_tenant, [2])]


async def test_a_failure_is_everybodys_and_the_next_are_asked_anew(tenant: Tenant) -> None:
    async def answer(_of: Tenant, items: Sequence[int]) -> list[int]:
        if 0 in items:
            raise ConnectionError
        return list(items)

    gathering = Gathering(answer)
    failed = await asyncio.gather(gathering.ask(tenant, 0), gathering.ask(tenant, 1), return_exceptions=True)

    assert [type(one) for one in failed] == [ConnectionError, ConnectionError]
    assert await gathering.ask(tenant, 1) == 1


async def test_who_is_cancelled_takes_no_answer_from_the_others(tenant: Tenant) -> None:
    may_answer = asyncio.Event()

    async def answer(_of: Tenant, items: Sequence[int]) -> list[int]:
        await may_answer.wait()
        return list(items)

    gathering = Gathering(answer)
    impatient, patient = (asyncio.create_task(gathering.ask(tenant, item)) for item in (1, 2))
    await asyncio.sleep(0)
    impatient.cancel()
    may_answer.set()

    assert await patient == 2
    with pytest.raises(asyncio.CancelledError):
        await impatient
