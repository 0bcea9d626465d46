"""One load at a time for each key: whoever asks meanwhile waits for the same answer."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Flights(Generic[Key, Value]):
    """Shares loads that are under way; remembers nothing once they are done."""

    def __init__(self, load: Callable[[Key], Awaitable[Value]]) -> None:
        self._load = load
        self._flying: dict[Key, asyncio.Task[Value]] = {}

    async def join(self, key: Key) -> Value:
        """Load, or wait for the load that is under way; a caller who is cancelled leaves it to the others."""
        return await asyncio.shield(self._flying.get(key) or self._start(key))

    def part(self, key: Key) -> None:
        """Let later callers start a load of their own: what is under way may be out of date."""
        self._flying.pop(key, None)

    def part_all(self) -> None:
        """`part` for every key."""
        self._flying.clear()

    def is_current(self, key: Key) -> bool:
        """Asked from within a load: whether its answer may be remembered, for nobody has parted it."""
        return self._flying.get(key) is asyncio.current_task()

    def _start(self, key: Key) -> asyncio.Task[Value]:
        task = asyncio.ensure_future(self._loaded(key))
        self._flying[key] = task
        task.add_done_callback(lambda done: self._land(key, done))
        return task

    def _land(self, key: Key, task: asyncio.Task[Value]) -> None:
        if self._flying.get(key) is task:
            del self._flying[key]
        if not task.cancelled():
            # Every caller may have gone; the loop must not report what nobody waits for.
            task.exception()

    async def _loaded(self, key: Key) -> Value:
        return await self._load(key)
