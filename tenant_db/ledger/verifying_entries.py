"""Whether each account's entries are a chain from nothing, and its counters their sums."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from tenancy.sessions import TenantSession
from tenant_db.ledger.blocks import copied
from tenant_db.ledger.digests import ID_LENGTH, id_of
from tenant_db.ledger.models import Entry, Hold, LedgerAccount, Transfer
from tenant_db.ledger.rules import NormalSide
from tenant_db.ledger.verdicts import Break, Broken, Progress

ENTRIES_MAX: Final = 10_000
"""Read at a time."""
ACCOUNTS_MAX: Final = 500
_LAST_ID: Final = UUID(int=2**128 - 1)
_DEBIT: Final = NormalSide.DEBIT.encode()
_LINES: Final = """
SELECT account_id, sequence, side, amount_minor, balance_before_minor, balance_after_minor
  FROM public.ledger_entries
 WHERE (account_id, sequence) > ($1, $2) AND account_id <= $3
 ORDER BY account_id, sequence LIMIT $4
"""

Sums = Mapping[UUID, int]


class EntriesWalk:
    """Goes over the accounts in the order of their ids, and over each one's entries in their order."""

    def __init__(self, session: TenantSession, progress: Progress) -> None:
        self._session = session
        self._progress = progress
        self._accounts: dict[UUID, LedgerAccount] = {}
        """Some accounts in the order of their ids; up to `_last` they are all there are."""
        self._last = UUID(int=0)
        self._pending: tuple[Sums, Sums] = {}, {}

    async def step(self) -> tuple[Broken | None, bool]:
        """Look at some thousand entries; gives what is broken, and whether those were the last."""
        progress = self._progress
        if progress.account_id > self._last:
            await self._read_accounts()
        lines = await copied(
            self._session, _LINES, progress.account_id, progress.sequence, self._last, ENTRIES_MAX
        )
        is_end = len(lines) < ENTRIES_MAX
        broken = self._walk(lines)
        if broken is None and is_end:
            broken = self._close(until=None)
            if self._last != _LAST_ID:
                self._begin(UUID(int=self._last.int + 1))
        progress.entries += len(lines)
        if broken is not None:
            return await self._blamed(broken), False
        return None, is_end and self._last == _LAST_ID

    async def _read_accounts(self) -> None:
        if not self._accounts:
            self._pending = await self._sums(Hold.source_id), await self._sums(Hold.destination_id)
        found = await self._session.scalars(
            select(LedgerAccount)
            .where(LedgerAccount.id >= self._progress.account_id)
            .order_by(LedgerAccount.id)
            .limit(ACCOUNTS_MAX)
        )
        self._accounts = {account.id: account for account in found}
        is_full = len(self._accounts) == ACCOUNTS_MAX
        self._last = next(reversed(self._accounts)) if is_full else _LAST_ID

    async def _sums(self, side: InstrumentedAttribute[UUID]) -> Sums:
        """What pending holds have set aside."""
        found = await self._session.execute(
            select(side, func.sum(Hold.amount_minor)).where(Hold.state == "pending").group_by(side)
        )
        return dict(found.all())

    def _walk(self, lines: Sequence[bytes]) -> Broken | None:
        for name, group in groupby(lines, key=itemgetter(slice(ID_LENGTH))):
            id_ = id_of(name)
            if id_ != self._progress.account_id:
                broken = self._close(until=id_)
                if broken is not None:
                    return broken
                self._begin(id_)
            account = self._accounts.get(id_)
            if account is None:
                return Broken(Break.ACCOUNT_MISSING, account_id=id_)
            broken = self._chain(group, account.normal_side.encode())
            if broken is not None:
                return broken
        return None

    def _chain(self, lines: Iterator[bytes], grows: bytes) -> Broken | None:
        """Follow one account's entries; `grows` is its normal side."""
        progress = self._progress
        sequence, balance = progress.sequence, progress.balance_minor
        debited, credited = progress.debits_minor, progress.credits_minor
        for line in lines:
            _, number, side, amount, before, after = line.split(b"\t")
            sequence += 1
            if (found := int(number)) != sequence:
                return _out_of_order(progress.account_id, sequence, found)
            minor = int(amount)
            was, balance = balance, balance + (minor if side == grows else -minor)
            if int(before) != was or int(after) != balance:
                return Broken(Break.ENTRY_CHANGED, account_id=progress.account_id, sequence=sequence)
            if side == _DEBIT:
                debited += minor
            else:
                credited += minor
        progress.sequence, progress.balance_minor = sequence, balance
        progress.debits_minor, progress.credits_minor = debited, credited
        return None

    def _close(self, until: UUID | None) -> Broken | None:
        """Compare the counters of the present account, and of those without entries up to `until`."""
        progress = self._progress
        for account in self._accounts.values():
            if until is not None and account.id >= until:
                break
            if account.id < progress.account_id:
                continue
            is_present = account.id == progress.account_id
            posted = (progress.sequence, progress.debits_minor, progress.credits_minor)
            expected = (*(posted if is_present else (0, 0, 0)), *self._reserved(account.id))
            if _counters(account) != expected:
                return Broken(Break.COUNTER_DIFFERS, account_id=account.id)
        return None

    def _reserved(self, account_id: UUID) -> tuple[int, int]:
        as_source, as_destination = self._pending
        return int(as_source.get(account_id, 0)), int(as_destination.get(account_id, 0))

    def _begin(self, account_id: UUID) -> None:
        progress = self._progress
        progress.account_id, progress.sequence, progress.balance_minor = account_id, 0, 0
        progress.debits_minor, progress.credits_minor = 0, 0

    async def _blamed(self, broken: Broken) -> Broken:
        """The entry that belongs to no transfer, where one is what breaks the account."""
        if broken.what not in {Break.ENTRY_CHANGED, Break.COUNTER_DIFFERS}:
            return broken
        orphan = await orphan_entry(self._session, Entry.account_id == broken.account_id)
        if orphan is None or broken.sequence not in {None, orphan.sequence}:
            return broken
        return orphan


async def orphan_entry(session: TenantSession, *among: ColumnElement[bool]) -> Broken | None:
    """The first entry that no transfer names as its own, if there is one."""
    is_named = or_(
        and_(Transfer.source_id == Entry.account_id, Transfer.source_sequence == Entry.sequence),
        and_(Transfer.destination_id == Entry.account_id, Transfer.destination_sequence == Entry.sequence),
    )
    found = await session.execute(
        select(Entry.account_id, Entry.sequence)
        .outerjoin(Transfer, and_(Transfer.id == Entry.transfer_id, is_named))
        .where(Transfer.id.is_(None), *among)
        .order_by(Entry.account_id, Entry.sequence)
        .limit(1)
    )
    row = found.one_or_none()
    if row is None:
        return None
    return Broken(Break.ENTRY_INSERTED, account_id=row.account_id, sequence=row.sequence)


def _out_of_order(account_id: UUID, expected: int, found: int) -> Broken:
    if found < expected:
        return Broken(Break.ENTRY_INSERTED, account_id=account_id, sequence=found)
    return Broken(Break.ENTRY_MISSING, account_id=account_id, sequence=expected)


def _counters(account: LedgerAccount) -> tuple[int, ...]:
    return (
        account.entry_count,
        account.posted_debits_minor,
        account.posted_credits_minor,
        account.pending_debits_minor,
        account.pending_credits_minor,
    )
