"""Whether a block is what was sealed, and whether the transfers and their entries are what it holds."""

from typing import Final
from uuid import UUID

from tenancy.sessions import TenantSession
from tenant_db.ledger.blocks import TRANSFERS, copied, range_end
from tenant_db.ledger.digests import ID_BYTES, PART_BYTES, block_hash, contents_of, id_of
from tenant_db.ledger.proof_models import Block
from tenant_db.ledger.sealing import TRANSFERS_MAX
from tenant_db.ledger.verdicts import Break, Broken, Progress

NO_END: Final = 2**63 - 1
_FINE: Final = b"-"
# Before each transfer's own line, what is wrong with its entries: capitals for one that is missing.
_CHECKED_LINES: Final = f"""
SELECT CASE
       WHEN source.account_id IS NULL THEN 'S'
       WHEN target.account_id IS NULL THEN 'T'
       WHEN (source.transfer_id, source.side, source.amount_minor, source.created_at) IS DISTINCT FROM
            (transfer.id, 'debit', transfer.amount_minor, transfer.created_at) THEN 's'
       WHEN (target.transfer_id, target.side, target.amount_minor, target.created_at) IS DISTINCT FROM
            (transfer.id, 'credit', transfer.amount_minor, transfer.created_at) THEN 't'
       ELSE '-' END, {TRANSFERS}
  FROM public.ledger_transfers AS transfer
  LEFT JOIN public.ledger_entries AS source
         ON source.account_id = transfer.source_id AND source.sequence = transfer.source_sequence
  LEFT JOIN public.ledger_entries AS target
         ON target.account_id = transfer.destination_id AND target.sequence = transfer.destination_sequence
 WHERE transaction_id >= $1 AND transaction_id < $2 ORDER BY transaction_id, transfer.id
"""  # noqa: S608 - columns of ours


async def verify_next_block(session: TenantSession, progress: Progress, block: Block) -> Broken | None:
    """Look at the block that follows what `progress` has seen, and at the rows it sealed."""
    if not _follows(session.tenant_id, progress, block):
        return Broken(Break.BLOCK_CHANGED, height=block.height)
    lines = await copied(session, _CHECKED_LINES, block.from_transaction_id, block.to_transaction_id)
    broken = _first_difference(lines, block.contents)
    if broken is None:
        progress.height, progress.hash = block.height, block.hash
        progress.transaction_id = block.to_transaction_id
        progress.transfers += len(lines)
    return broken


async def verify_unsealed(session: TenantSession, progress: Progress) -> bool:
    """Look at the entries of some transfers behind the head; says whether those were the last.

    What is broken stands in `progress`.
    """
    end = await range_end(session, progress.transaction_id, NO_END, TRANSFERS_MAX)
    lines = await copied(session, _CHECKED_LINES, progress.transaction_id, end)
    at = _first_broken_entry(lines)
    if at is not None:
        progress.broken = _entry_of(lines[at])
    progress.transaction_id = end if lines else progress.transaction_id
    progress.transfers += len(lines)
    return end == NO_END


def _follows(tenant_id: UUID, progress: Progress, block: Block) -> bool:
    return (
        block.previous_hash == progress.hash
        and block.from_transaction_id == progress.transaction_id
        and block.total_count == progress.transfers + block.transfer_count
        and len(block.contents) == PART_BYTES * block.transfer_count
        and block_hash(block.header(tenant_id), block.contents) == block.hash
    )


def _first_difference(lines: list[bytes], sealed: bytes) -> Broken | None:
    plain = [line[2:] for line in lines]
    found = contents_of(plain)
    entry_at = _first_broken_entry(lines)
    if found == sealed:
        return None if entry_at is None else _entry_of(lines[entry_at])
    at = _first_different_part(found, sealed)
    if entry_at is not None and entry_at < at // PART_BYTES:
        return _entry_of(lines[entry_at])
    return _transfer_at(at, found, sealed)


def _first_different_part(found: bytes, sealed: bytes) -> int:
    shorter = min(len(found), len(sealed))
    for at in range(0, shorter, PART_BYTES):
        if found[at : at + PART_BYTES] != sealed[at : at + PART_BYTES]:
            return at
    return shorter


def _transfer_at(at: int, found: bytes, sealed: bytes) -> Broken:
    was, is_ = sealed[at : at + ID_BYTES], found[at : at + ID_BYTES]
    if was == is_:
        return Broken(Break.TRANSFER_CHANGED, transfer_id=UUID(bytes=was))
    present = {found[place : place + ID_BYTES] for place in range(at, len(found), PART_BYTES)}
    if was and was not in present:
        return Broken(Break.TRANSFER_MISSING, transfer_id=UUID(bytes=was))
    return Broken(Break.TRANSFER_INSERTED, transfer_id=UUID(bytes=is_))


def _first_broken_entry(lines: list[bytes]) -> int | None:
    return next((at for at, line in enumerate(lines) if not line.startswith(_FINE)), None)


def _entry_of(line: bytes) -> Broken:
    mark = line[:1]
    _, _, source, target, source_sequence, target_sequence = line[2:].split(b"\t")[:6]
    account, sequence = (source, source_sequence) if mark in b"Ss" else (target, target_sequence)
    what = Break.ENTRY_MISSING if mark.isupper() else Break.ENTRY_CHANGED
    return Broken(what, account_id=id_of(account), sequence=int(sequence))
