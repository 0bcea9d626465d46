"""Clerks who post bulks whatever happens to the database, and repeat what nobody answered."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import asyncpg
from sqlalchemy.exc import DBAPIError

from core.currency import Currency
from core.money import Money
from tenancy.errors import TenantUnavailable, TransactionInterrupted
from tenancy.sessions import Tenant
from tenant_db.ledger.bulk import post_many
from tenant_db.ledger.posting import NewTransfer
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import TransferKind

BULK: Final = 100
ANSWERED_WITHIN_S: Final = 60.0
RETRY_S: Final = 0.05
"""The pause of a careful client: the database is away for a second or two."""
OUTAGES: Final = (TenantUnavailable, TransactionInterrupted, DBAPIError, asyncpg.PostgresError, OSError)


@dataclass(slots=True)
class Clerks:
    """All of them debit one account, and each key is theirs alone."""

    tenant: Tenant
    source_id: UUID
    target_ids: Sequence[UUID]
    acknowledged: dict[str, UUID] = field(default_factory=dict)
    """By key, the transfer that was answered."""
    setbacks: Counter[str] = field(default_factory=Counter)
    bulks: int = 0
    """How many were answered."""
    progress: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def post_all(self, clerks: int, bulks: int) -> None:
        """Each clerk posts so many bulks, one after the other."""
        async with asyncio.TaskGroup() as group:
            for clerk in range(clerks):
                group.create_task(self._post(clerk, bulks))

    async def until_answered(self, bulks: int) -> None:
        async with self.progress:
            await self.progress.wait_for(lambda: self.bulks >= bulks)

    async def _post(self, clerk: int, bulks: int) -> None:
        for number in range(bulks):
            keys = [f"clerk-{clerk}:{number}:{line}" for line in range(BULK)]
            posted = await self._answered(keys)
            self.acknowledged |= {key: each.id for key, each in zip(keys, posted, strict=True)}
            async with self.progress:
                self.bulks += 1
                self.progress.notify_all()

    async def _answered(self, keys: Sequence[str]) -> list[Posted]:
        """Ask until an answer comes, always with the same keys."""
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            while True:
                try:
                    async with self.tenant.transaction() as session:
                        answers = await post_many(session, list(self._commands(keys)))
                except OUTAGES as outage:
                    self.setbacks[type(outage).__name__] += 1
                    await asyncio.sleep(RETRY_S)
                    continue
                posted = [answer for answer in answers if isinstance(answer, Posted)]
                assert len(posted) == len(keys), answers
                return posted

    def _commands(self, keys: Sequence[str]) -> Iterator[NewTransfer]:
        """Made anew each time, as a client that has lost its memory would: only the keys stay."""
        for number, key in enumerate(keys):
            target = self.target_ids[number % len(self.target_ids)]
            amount = Money(100 + number, Currency.KES)
            yield NewTransfer(self.source_id, target, amount, TransferKind.SALE, "till", key)
