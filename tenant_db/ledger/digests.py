"""What is hashed, byte for byte: anybody with the rows can do it again. Pure.

Version 1. A transfer's digest is SHA-256 of the line `hazina transfer 1`, its columns as PostgreSQL's
`COPY … TO STDOUT` writes them (text format, UTF-8, UTC; see COLUMNS), and the SHA-256 of its details,
written the same way. A block's hash is SHA-256 of its header (see `block_hash`) and its contents.
"""

from binascii import unhexlify
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

COLUMNS: Final = (
    "id",
    "created_at",
    "source_id",
    "destination_id",
    "source_sequence",
    "destination_sequence",
    "amount_minor",
    "currency",
    "kind",
    "reference",
    "idempotency_key",
    "effective_at",
    "reverses_id",
    "hold_id",
    "transaction_id",
    "details",
)
"""Every column of a transfer, in the order in which they are hashed; `details` has to be the last."""
ID_LENGTH: Final = 36
ID_BYTES: Final = 16
PART_BYTES: Final = ID_BYTES + sha256().digest_size
"""What one transfer takes in a block's contents: its id and its digest."""
GENESIS: Final = bytes(sha256().digest_size)
"""What stands before the first block."""
_TRANSFER: Final = b"hazina transfer 1\n"
_NO_DETAILS: Final = sha256(b"{}").digest()


@dataclass(frozen=True, slots=True)
class Header:
    """What a block says about itself."""

    tenant_id: UUID
    height: int
    """1 for the first."""
    from_transaction_id: int
    to_transaction_id: int
    """It holds what was written by transactions from the one up to, but not with, the other."""
    transfer_count: int
    total_count: int
    """Transfers in this block and all before it."""
    sealed_at: datetime
    previous_hash: bytes


def part_of(line: bytes) -> bytes:
    """One transfer's id and digest, from its line of `COPY`, without the line's end."""
    # COPY escapes tabs, so the last one stands before the details.
    columns, _, details = line.rpartition(b"\t")
    inner = _NO_DETAILS if details == b"{}" else sha256(details).digest()
    # Without a UUID on the way, which would take longer than both hashes.
    return unhexlify(line[:ID_LENGTH].replace(b"-", b"")) + sha256(_TRANSFER + columns + inner).digest()


def id_of(line: bytes) -> UUID:
    return UUID(line[:ID_LENGTH].decode())


def contents_of(lines: Iterable[bytes]) -> bytes:
    """What a block holds: `part_of` each of its transfers, in the order of transaction id and id."""
    return b"".join(map(part_of, lines))


def block_hash(header: Header, contents: bytes) -> bytes:
    """SHA-256 of the header, a line for each fact, and the contents."""
    facts = (
        "hazina block 1",
        header.tenant_id,
        header.height,
        header.from_transaction_id,
        header.to_transaction_id,
        header.transfer_count,
        header.total_count,
        header.sealed_at.astimezone(UTC).isoformat(timespec="microseconds"),
        header.previous_hash.hex(),
    )
    lines = "".join(f"{fact}\n" for fact in facts)
    return sha256(lines.encode() + contents).digest()
