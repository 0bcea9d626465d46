"""Reads blocks, and the ledger's rows as they are hashed: the lines of `COPY … TO STDOUT`."""

from collections.abc import Callable
from typing import Any, Final, cast

from sqlalchemy import func, select, text

from tenancy.sessions import TenantSession
from tenant_db.ledger.digests import COLUMNS
from tenant_db.ledger.models import Transfer
from tenant_db.ledger.proof_models import Block

TRANSFERS: Final = ", ".join(f"transfer.{column}" for column in COLUMNS)
_LINES: Final = f"""
SELECT {TRANSFERS} FROM public.ledger_transfers AS transfer
 WHERE transaction_id >= $1 AND transaction_id < $2 ORDER BY transaction_id, id
"""  # noqa: S608 - columns of ours
# What COPY writes depends on these, and neither a role nor a database may change a digest.
_CANONICAL: Final = text(
    "SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true),"
    " set_config('client_encoding', 'UTF8', true)"
)


async def write_canonically(session: TenantSession) -> None:
    """Have `copied` write times and texts as digests want them, until the transaction ends."""
    await session.execute(_CANONICAL)


async def head_of(session: TenantSession) -> Block | None:
    """The last block; None where nothing was sealed yet."""
    return await session.scalar(select(Block).order_by(Block.height.desc()).limit(1))


async def block_at(session: TenantSession, height: int) -> Block | None:
    """None where the chain does not reach there."""
    return await session.get(Block, height)


async def has_unsealed(session: TenantSession) -> bool:
    """Whether transfers wait to be sealed, be it for another transaction to end."""
    sealed = select(func.coalesce(func.max(Block.to_transaction_id), 0)).scalar_subquery()
    return bool(
        await session.scalar(select(select(Transfer.id).where(Transfer.transaction_id >= sealed).exists()))
    )


async def range_end(session: TenantSession, start: int, bound: int, transfers_max: int) -> int:
    """Where a range of about `transfers_max` transfers ends that begins at the transaction id `start`.

    One transaction's transfers are never divided, so a long one makes a long range. It is `bound`
    where what is left fits.
    """
    ids = (
        select(Transfer.transaction_id)
        .where(Transfer.transaction_id >= start, Transfer.transaction_id < bound)
        .order_by(Transfer.transaction_id)
    )
    first_beyond = await session.scalar(ids.offset(transfers_max).limit(1))
    if first_beyond is None:
        return bound
    first = await session.scalar(ids.limit(1))
    return first_beyond + 1 if first == first_beyond else first_beyond


async def lines_between(session: TenantSession, start: int, end: int) -> list[bytes]:
    """Transfers written by transactions from `start` up to `end`, in the order in which they are sealed."""
    return await copied(session, _LINES, start, end)


async def copied(session: TenantSession, query: str, *arguments: object) -> list[bytes]:
    """What `COPY (query) TO STDOUT` writes, a line for each row. `write_canonically` goes before it."""
    lines: list[bytes] = []
    await copy_each(session, lines.extend, query, *arguments)
    return lines


async def copy_each(
    session: TenantSession, take: Callable[[list[bytes]], None], query: str, *arguments: object
) -> None:
    """As `copied`, but hands lines over while PostgreSQL writes more of them."""
    kept = b""

    async def sink(chunk: bytes) -> None:
        nonlocal kept
        *lines, kept = (kept + bytes(chunk)).split(b"\n")
        take(lines)

    connection = await (await session.connection()).get_raw_connection()
    driver = cast("Any", connection.driver_connection)
    await driver.copy_from_query(query, *arguments, output=sink, format="text")
