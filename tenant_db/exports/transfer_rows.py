"""The rows of a file of transfers, each once, in the order of their recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from core.currency import Currency
from core.ids import Kind, outside
from core.periods import Period
from tenancy.sessions import Tenant, TenantSession
from tenant_db.exports.accounts import AccountCodes
from tenant_db.exports.cells import amount_text, guarded, instant_text
from tenant_db.exports.sources import BATCH_ROWS, Cells, Subject, span_json, span_of
from tenant_db.ledger.statement_entries import StatementEntry, entries_after
from tenant_db.ledger.statements import Span, account_spans, store_spans

HEADER: Final = (
    "Recorded at (UTC)",
    "Effective at (UTC)",
    "Transfer",
    "Kind",
    "Reference",
    "Currency",
    "Amount (whole units)",
    "From account",
    "To account",
    "Reverses",
)


class TransferRow(NamedTuple):
    """One transfer."""

    id: UUID
    created_at: datetime
    effective_at: datetime
    kind: str
    reference: str
    currency: Currency
    amount_minor: int
    source_code: str
    destination_code: str
    reverses_id: UUID | None

    @property
    def is_counted(self) -> bool:
        return True

    def csv(self) -> Cells:
        return (
            instant_text(self.created_at),
            instant_text(self.effective_at),
            outside(Kind.TRANSFER, self.id),
            self.kind,
            guarded(self.reference),
            self.currency.value,
            amount_text(self.amount_minor, self.currency.exponent),
            guarded(self.source_code),
            guarded(self.destination_code),
            "" if self.reverses_id is None else outside(Kind.TRANSFER, self.reverses_id),
        )


@dataclass(slots=True)
class AccountTransfers:
    """The transfers that touch some accounts."""

    spans: Sequence[Span]
    reached: Sequence[int]
    codes: AccountCodes = field(default_factory=AccountCodes)
    header: Cells = HEADER

    @classmethod
    async def begin(cls, session: TenantSession, subject: Subject, period: Period) -> "AccountTransfers":
        """At the first row. What is recorded from now on is no part of it."""
        spans = await spans_of(session, subject, period)
        return cls(spans, [span.after for span in spans])

    @classmethod
    def resume(cls, place: Mapping[str, Any]) -> "AccountTransfers":
        """Where an earlier run has put it down."""
        return cls([span_of(each) for each in place["spans"]], place["reached"])

    def place(self) -> dict[str, Any]:
        return {"spans": [span_json(span) for span in self.spans], "reached": list(self.reached)}

    async def read(self, tenant: Tenant) -> Sequence[TransferRow]:
        """The next rows. Of a transfer between two of the accounts, one of the two entries is passed over."""
        own = {span.account_id for span in self.spans}
        rows: list[TransferRow] = []
        while not rows:
            batch = await entries_after(tenant, self.spans, self.reached, BATCH_ROWS)
            if not batch.entries:
                break
            self.reached = batch.reached
            shown = [entry for entry in batch.entries if entry.is_debit or entry.other_id not in own]
            await self.codes.learn(tenant, {id_ for entry in shown for id_ in _ends(entry)})
            rows = [_row_of_entry(entry, self.codes) for entry in shown]
        return rows


@dataclass(slots=True)
class AllTransfers:
    """Every transfer of a period."""

    period: Period
    after: tuple[datetime, UUID]
    codes: AccountCodes = field(default_factory=AccountCodes)
    header: Cells = HEADER

    @classmethod
    def begin(cls, period: Period) -> "AllTransfers":
        """At the first row."""
        return cls(period, (period.since, UUID(int=0)))

    @classmethod
    def resume(cls, period: Period, place: Mapping[str, Any]) -> "AllTransfers":
        """Where an earlier run has put it down."""
        return cls(period, (datetime.fromisoformat(place["at"]), UUID(place["id"])))

    def place(self) -> dict[str, Any]:
        return {"at": self.after[0].isoformat(), "id": str(self.after[1])}

    async def read(self, tenant: Tenant) -> Sequence[TransferRow]:
        """The next rows."""
        at, id_ = self.after
        found = await tenant.rows(_ALL, at, id_, self.period.before, BATCH_ROWS)
        if not found:
            return []
        await self.codes.learn(
            tenant, {end for row in found for end in (row["source_id"], row["destination_id"])}
        )
        self.after = (found[-1]["created_at"], found[-1]["id"])
        return [_row_of_transfer(row, self.codes) for row in found]


async def spans_of(session: TenantSession, subject: Subject, period: Period) -> Sequence[Span]:
    """The entries of a subject's accounts.

    Raises:
        ValueError: the subject names none.
    """
    if subject.account_id is not None:
        return await account_spans(session, subject.account_id, period)
    if subject.store_id is not None:
        return await store_spans(session, subject.store_id, period)
    raise ValueError("everything has no accounts of its own")


async def count_all(session: TenantSession, period: Period, at_most: int) -> int:
    """How many transfers were recorded in a period; more than `at_most` are not counted."""
    values = {"since": period.since, "before": period.before, "limit": at_most + 1}
    return int(await session.scalar(text(_COUNT), values))


def _ends(entry: StatementEntry) -> tuple[UUID, UUID]:
    """Source and destination."""
    if entry.is_debit:
        return entry.account_id, entry.other_id
    return entry.other_id, entry.account_id


def _row_of_entry(entry: StatementEntry, codes: AccountCodes) -> TransferRow:
    source, destination = _ends(entry)
    return TransferRow(
        id=entry.transfer_id,
        created_at=entry.created_at,
        effective_at=entry.effective_at,
        kind=entry.kind,
        reference=entry.reference,
        currency=_CURRENCIES[entry.currency],
        amount_minor=abs(entry.change_minor),
        source_code=codes[source],
        destination_code=codes[destination],
        reverses_id=entry.reverses_id,
    )


def _row_of_transfer(row: Any, codes: AccountCodes) -> TransferRow:  # noqa: ANN401 - a row of asyncpg's
    return TransferRow(
        id=row["id"],
        created_at=row["created_at"],
        effective_at=row["effective_at"],
        kind=row["kind"],
        reference=row["reference"],
        currency=_CURRENCIES[row["currency"]],
        amount_minor=int(row["amount_minor"]),
        source_code=codes[row["source_id"]],
        destination_code=codes[row["destination_id"]],
        reverses_id=row["reverses_id"],
    )


_CURRENCIES: Final = {currency.value: currency for currency in Currency}
"""Looked up many times a file: an enum's own call is ten times as slow."""

_ALL: Final = """
SELECT id, created_at, effective_at, kind, reference, currency, amount_minor, source_id, destination_id,
    reverses_id
FROM ledger_transfers
WHERE (created_at, id) > ($1::timestamptz, $2::uuid)
    AND created_at < $3::timestamptz
ORDER BY created_at, id LIMIT $4::bigint
"""
_COUNT: Final = """
SELECT count(*) FROM (
    SELECT FROM ledger_transfers
    WHERE created_at >= CAST(:since AS timestamptz) AND created_at < CAST(:before AS timestamptz)
    LIMIT CAST(:limit AS bigint)
) AS counted
"""
