"""Sealing: puts transfers into blocks, each chained to the one before by SHA-256."""

from datetime import datetime
from typing import Final

from sqlalchemy import func, select, text

from core.clock import Clock
from tenancy.sessions import TenantSession
from tenant_db.ledger.blocks import head_of, lines_between, range_end, write_canonically
from tenant_db.ledger.digests import GENESIS, Header, block_hash, contents_of
from tenant_db.ledger.proof_models import Block

TRANSFERS_MAX: Final = 10_000
"""In a block, unless one transaction alone wrote more."""
_TURN: Final = select(func.pg_advisory_xact_lock(func.hashtextextended("ledger_blocks", 0)))
# Whatever has a lower transaction id has committed or never will: nothing can slip in behind it.
_BOUND: Final = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


class TransactionIdsFellBack(Exception):
    """The database came to a server that counts transactions from lower: nothing can be sealed there."""

    def __init__(self, sealed_to: int, now_at: int) -> None:
        super().__init__(f"sealed up to transaction {sealed_to}, but the server is at {now_at}")


async def seal(session: TenantSession, clock: Clock, *, transfers_max: int = TRANSFERS_MAX) -> Block | None:
    """Seal the oldest transfers that are not sealed into the next block; None where there are none.

    Sealers of one tenant take turns, each until its transaction ends. Transfers wait as long as a
    transaction runs anywhere on the server that began to write before them.

    Raises:
        TransactionIdsFellBack: this server counts transactions from lower than the last block's.
    """
    await session.execute(_TURN)
    await write_canonically(session)
    head = await head_of(session)
    start = 0 if head is None else head.to_transaction_id
    bound = (await session.execute(_BOUND)).scalar_one()
    if bound < start:
        raise TransactionIdsFellBack(start, bound)
    end = await range_end(session, start, bound, transfers_max)
    lines = await lines_between(session, start, end)
    if not lines:
        return None
    block = _next_block(session, head, (start, end), lines, clock())
    session.add(block)
    await session.flush()
    return block


def _next_block(
    session: TenantSession, head: Block | None, bounds: tuple[int, int], lines: list[bytes], now: datetime
) -> Block:
    contents = contents_of(lines)
    header = Header(
        tenant_id=session.tenant_id,
        height=1 if head is None else head.height + 1,
        from_transaction_id=bounds[0],
        to_transaction_id=bounds[1],
        transfer_count=len(lines),
        total_count=len(lines) + (0 if head is None else head.total_count),
        sealed_at=now,
        previous_hash=GENESIS if head is None else head.hash,
    )
    return Block(
        height=header.height,
        from_transaction_id=header.from_transaction_id,
        to_transaction_id=header.to_transaction_id,
        transfer_count=header.transfer_count,
        total_count=header.total_count,
        previous_hash=header.previous_hash,
        hash=block_hash(header, contents),
        sealed_at=now,
        contents=contents,
    )
