"""Two ways of asking: as fast as the answers come, or at a given rate whatever comes back."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter

Ask = Callable[[], Awaitable[object]]


async def drain(requests: Sequence[Ask], clients: int) -> None:
    """Closed loop: each of `clients` asks the next request when it has its answer."""
    waiting = iter(requests)

    async def client() -> None:
        for request in waiting:
            await request()

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())


async def open_loop(requests: Sequence[Ask], rate_per_s: float) -> list[float]:
    """Ask at the planned moments, and give seconds from each plan to its answer.

    Counting from the plan, not from the sending, keeps a stall from hiding those who waited for it.
    """
    start = perf_counter()
    times = [0.0] * len(requests)

    async def one(number: int, request: Ask) -> None:
        await request()
        times[number] = perf_counter() - start - number / rate_per_s

    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            await asyncio.sleep(start + number / rate_per_s - perf_counter())
            group.create_task(one(number, request))
    return times
