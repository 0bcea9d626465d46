"""What a commit tells other processes: wake-ups for relays, notices for subscribers."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic, time
from typing import Final
from uuid import UUID

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from tenancy.feed import channel_of, message_of
from tenancy.sessions import AfterCommit, Notice

DUE_PREFIX: Final = "global:due:"
"""Sorted sets, one a queue: tenant id or `owner`, by the unix time of its earliest due row."""
NUDGE_PREFIX: Final = "global:nudge:"
SEALING: Final = "global:sealing"
"""A sorted set as the due times: tenants whose ledger has transfers to seal."""
SEAL_AFTER_S: Final = 10.0
TELL_SEALER_EVERY_S: Final = 5.0
"""Shorter than the sealer's pause: whoever was told a moment ago comes again after this commit."""
OWNER_MEMBER: Final = "owner"
NUDGE_WITHIN_S: Final = 1.0
"""What is due later needs no nudge: no relay sleeps for longer than this."""
MARK_EVERY_S: Final = 60.0
REMEMBERED_MAX: Final = 10_000

MarkDirty = Callable[[UUID], Awaitable[None]]

_log = structlog.get_logger()


class RedisSignals:
    """Signals over Redis, in one round trip after each commit.

    Losing Redis loses no work: before its first outbox commit in a minute a process marks the
    tenant in the owner database, where sweeps look.
    """

    def __init__(self, client: redis.asyncio.Redis, mark_dirty: MarkDirty | None = None) -> None:
        """`mark_dirty` commits a mark in the owner database; None where sweeps see all anyway."""
        self._client = client
        self._mark_dirty = mark_dirty
        self._marked = _Recent(MARK_EVERY_S)
        self._told_sealer = _Recent(TELL_SEALER_EVERY_S)

    async def before_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None:
        """Mark the tenant dirty, at most once a minute; raises what `mark_dirty` raises."""
        if tenant_id is None or self._mark_dirty is None or not after.due:
            return
        if tenant_id in self._marked:
            return
        # The time before the mark is what counts: a sweep may have taken it off at once.
        now = monotonic()
        await self._mark_dirty(tenant_id)
        self._marked.add(tenant_id, now)

    async def after_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None:
        """Put due times where relays look, nudge them, and publish; a failure is logged only."""
        if not after.due and not after.notices:
            return
        member = OWNER_MEMBER if tenant_id is None else str(tenant_id)
        now = monotonic()
        to_seal = tenant_id if after.has_unsealed and tenant_id not in self._told_sealer else None
        try:
            async with self._client.pipeline(transaction=False) as pipe:
                for queue, due in after.due.items():
                    pipe.zadd(DUE_PREFIX + queue, {member: due}, lt=True)
                    if due <= time() + NUDGE_WITHIN_S:
                        pipe.publish(NUDGE_PREFIX + queue, b"")
                for whose, notices in _by_tenant(tenant_id, after.notices).items():
                    pipe.publish(channel_of(whose), message_of(*notices))
                if to_seal is not None:
                    pipe.zadd(SEALING, {member: int(time() + SEAL_AFTER_S)}, lt=True)
                await pipe.execute()
                if to_seal is not None:
                    self._told_sealer.add(to_seal, now)
        except (RedisError, OSError) as error:
            _log.warning("signals_lost", tenant=member, error=type(error).__name__)


def _by_tenant(tenant_id: UUID | None, notices: Sequence[Notice]) -> dict[UUID, list[Notice]]:
    """By whose feed they go to; one that is nobody's is left out."""
    found: dict[UUID, list[Notice]] = {}
    for notice in notices:
        if (whose := notice.tenant_id or tenant_id) is not None:
            found.setdefault(whose, []).append(notice)
    return found


class _Recent:
    """Tenants to whom something was done less than `every_s` ago."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._done: OrderedDict[UUID, float] = OrderedDict()

    def __contains__(self, tenant_id: UUID | None) -> bool:
        done_at = None if tenant_id is None else self._done.get(tenant_id)
        return done_at is not None and monotonic() - done_at < self._every_s

    def add(self, tenant_id: UUID, at: float) -> None:
        """`at` is a reading of `monotonic`."""
        self._done[tenant_id] = at
        self._done.move_to_end(tenant_id)
        if len(self._done) > REMEMBERED_MAX:
            self._done.popitem(last=False)
