"""What happens after a while: payers who think, webhooks that are late."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Act = Callable[[], Coroutine[Any, Any, None]]


class Clockwork:
    """Deeds that wait, each under a name by which it can be hurried."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._hurries: dict[str, asyncio.Event] = {}

    def start(self, name: str, delay_s: float, act: Act) -> asyncio.Task[None]:
        """Do it after `delay_s`; what waits under the same name is cut off."""
        earlier = self._tasks.get(name)
        if earlier is not None and earlier is not asyncio.current_task():
            earlier.cancel()
        hurry = self._hurries[name] = asyncio.Event()
        task = self._tasks[name] = asyncio.create_task(_after(hurry, delay_s, act))
        task.add_done_callback(lambda done: self._forget(name, done))
        return task

    async def hurry(self, name: str) -> None:
        """Let it happen now, and wait until it has; nothing of that name is nothing to do."""
        task = self._tasks.get(name)
        if task is not None:
            self._hurries[name].set()
            await asyncio.wait([task])

    def cut(self, name: str) -> None:
        """Cut off what waits under the name, if anything does."""
        task = self._tasks.get(name)
        if task is not None:
            task.cancel()

    async def stop(self) -> None:
        """Cut off what still waits."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._hurries.clear()

    def _forget(self, name: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is done:
            del self._tasks[name]
            del self._hurries[name]


async def _after(hurry: asyncio.Event, delay_s: float, act: Act) -> None:
    try:
        await asyncio.wait_for(hurry.wait(), delay_s)
    except TimeoutError:
        # Its time has come unhurried.
        hurry.set()
    await act()
