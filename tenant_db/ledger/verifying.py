"""Verification: goes over the whole ledger and names the first broken row."""

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.orm import undefer

from tenancy.sessions import TenantSession
from tenant_db.ledger.blocks import head_of, write_canonically
from tenant_db.ledger.models import Entry, Transfer
from tenant_db.ledger.proof_models import Block
from tenant_db.ledger.verdicts import Break, Broken, Phase, Progress
from tenant_db.ledger.verifying_blocks import verify_next_block, verify_unsealed
from tenant_db.ledger.verifying_entries import EntriesWalk, orphan_entry

STATEMENT_MAX_S: Final = 60
Heads = Mapping[int, bytes]
"""Hashes of blocks that were kept elsewhere, by height."""
# One snapshot: whatever is posted meanwhile is seen whole in the next part, or not at all. Ranges are
# short, so plans that read a whole table for each of them would make minutes of seconds.
_SNAPSHOT: Final = (
    text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"),
    text(f"SET LOCAL statement_timeout = '{STATEMENT_MAX_S}s'"),
    text("SET LOCAL enable_hashjoin = off"),
    text("SET LOCAL enable_mergejoin = off"),
    text("SET LOCAL enable_seqscan = off"),
    text("SET LOCAL enable_memoize = off"),
)


def _go_on() -> bool:
    return False


async def verify(
    session: TenantSession,
    progress: Progress,
    heads: Heads,
    *,
    is_time_up: Callable[[], bool] = _go_on,
    tell: Callable[[], object] = _go_on,
) -> None:
    """Go over the ledger from where `progress` stands until a row is broken, all is seen or time is up.

    The session's transaction has to be new; it becomes a read-only snapshot and needs no commit.
    `heads` are compared with the blocks of their heights. `progress` is moved on, and `tell` is
    called, after some thousand rows each. What it finds broken is `progress.broken`.
    """
    for setting in _SNAPSHOT:
        await session.execute(setting)
    await write_canonically(session)
    if progress.transfers == 0:
        head = await head_of(session)
        progress.transfers_total = 0 if head is None else head.total_count
    run = _Run(session, progress, heads)
    while not progress.is_over:
        progress.broken = await run.step()
        tell()
        if is_time_up():
            return


class _Run:
    """One part of a verification, in one snapshot."""

    def __init__(self, session: TenantSession, progress: Progress, heads: Heads) -> None:
        self._session = session
        self._progress = progress
        self._heads = heads
        self._walk = EntriesWalk(session, progress)

    async def step(self) -> Broken | None:
        """Look at some thousand rows."""
        match self._progress.phase:
            case Phase.BLOCKS:
                return await self._block()
            case Phase.UNSEALED:
                if await verify_unsealed(self._session, self._progress):
                    self._progress.phase = Phase.ENTRIES
            case Phase.ENTRIES:
                return await self._entries()
            case Phase.TOTALS:
                return await self._totals()
            case Phase.DONE:
                pass
        return self._progress.broken

    async def _block(self) -> Broken | None:
        progress = self._progress
        following = select(Block).where(Block.height > progress.height).order_by(Block.height).limit(1)
        block = await self._session.scalar(following.options(undefer(Block.contents)))
        expected = progress.height + 1
        if block is None:
            if any(height >= expected for height in self._heads):
                return Broken(Break.BLOCK_MISSING, height=expected)
            progress.phase = Phase.UNSEALED
            return None
        if block.height != expected:
            return Broken(Break.BLOCK_MISSING, height=expected)
        if self._heads.get(expected, block.hash) != block.hash:
            return Broken(Break.HEAD_DIFFERS, height=expected)
        return await verify_next_block(self._session, progress, block)

    async def _entries(self) -> Broken | None:
        broken, is_last = await self._walk.step()
        if is_last:
            self._progress.phase = Phase.TOTALS
        return broken

    async def _totals(self) -> Broken | None:
        """Every transfer has its two entries, so that one more belongs to none."""
        transfers = await self._session.scalar(select(func.count()).select_from(Transfer))
        entries = await self._session.scalar(select(func.count()).select_from(Entry))
        self._progress.phase = Phase.DONE
        return None if entries == 2 * (transfers or 0) else await orphan_entry(self._session)
