"""Asks one database once for what many jobs of a tenant want at the same moment."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

from tenancy.sessions import Tenant

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Gathering(Generic[Item, Answer]):
    """What is asked of one tenant within `wait_s` is answered together; 0 is one turn of the loop."""

    def __init__(
        self, answer: Callable[[Tenant, Sequence[Item]], Awaitable[Sequence[Answer]]], *, wait_s: float = 0
    ) -> None:
        """`answer` gives as many answers as it was given items, in their order."""
        self._answer = answer
        self._wait_s = wait_s
        self._open: dict[tuple[UUID, int], tuple[list[Item], asyncio.Task[Sequence[Answer]]]] = {}

    async def ask(self, tenant: Tenant, item: Item) -> Answer:
        """The answer to one item.

        Raises:
            What the common answer raises; then nobody of those who asked together has one.
        """
        # A tenant that has moved is another database.
        key = tenant.ref.key
        if key not in self._open:
            items: list[Item] = []
            self._open[key] = items, asyncio.create_task(self._answered(tenant, key, items))
        items, answering = self._open[key]
        index = len(items)
        items.append(item)
        # Others wait for it, too: one who is cancelled leaves it running.
        answers = await asyncio.shield(answering)
        return answers[index]

    async def _answered(self, tenant: Tenant, key: tuple[UUID, int], items: list[Item]) -> Sequence[Answer]:
        try:
            await asyncio.sleep(self._wait_s)
        finally:
            del self._open[key]
        return await self._answer(tenant, items)
