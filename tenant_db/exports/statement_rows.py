"""The rows of a statement's file: for each currency the opening balance, every entry, the closing balance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from core.currency import Currency
from core.ids import Kind, outside
from core.periods import Period
from tenancy.sessions import Tenant, TenantSession
from tenant_db.exports.accounts import AccountCodes
from tenant_db.exports.cells import amount_text, guarded, instant_text
from tenant_db.exports.sources import BATCH_ROWS, Cells, Subject, span_json, span_of
from tenant_db.ledger.statement_entries import StatementEntry, entries_after
from tenant_db.ledger.statements import Span, Statement, account_statement, store_statements

HEADER: Final = (
    "Row",
    "Recorded at (UTC)",
    "Effective at (UTC)",
    "Ledger account",
    "Entry number",
    "Transfer",
    "Kind",
    "Reference",
    "Other account",
    "Currency",
    "In (whole units)",
    "Out (whole units)",
    "Balance (whole units)",
)


class EntryRow(NamedTuple):
    """One entry, with the balance of the whole statement that it left."""

    entry: StatementEntry
    code: str
    other_code: str
    exponent: int
    """Of the currency: here, since a hundred thousand rows would look it up."""
    balance_minor: int

    @property
    def is_counted(self) -> bool:
        return True

    def csv(self) -> Cells:
        entry, exponent = self.entry, self.exponent
        recorded, change = instant_text(entry.created_at), entry.change_minor
        moved = amount_text(abs(change), exponent)
        return (
            "entry",
            recorded,
            recorded if entry.effective_at == entry.created_at else instant_text(entry.effective_at),
            guarded(self.code),
            str(entry.sequence),
            outside(Kind.TRANSFER, entry.transfer_id),
            entry.kind,
            guarded(entry.reference),
            guarded(self.other_code),
            entry.currency,
            moved if change > 0 else "",
            moved if change <= 0 else "",
            amount_text(self.balance_minor, exponent),
        )


class BalanceRow(NamedTuple):
    """What was there when the period began, or when it had ended."""

    name: str
    """`opening` or `closing`."""
    at: datetime
    currency: Currency
    balance_minor: int
    incoming_minor: int | None = None
    """Of a closing balance: what came in, in all."""
    outgoing_minor: int | None = None

    @property
    def is_counted(self) -> bool:
        return False

    def csv(self) -> Cells:
        sums = [
            "" if minor is None else amount_text(minor, self.currency.exponent)
            for minor in (self.incoming_minor, self.outgoing_minor)
        ]
        balance = amount_text(self.balance_minor, self.currency.exponent)
        return (self.name, instant_text(self.at), *[""] * 7, self.currency.value, *sums, balance)


StatementRow = EntryRow | BalanceRow


@dataclass(slots=True)
class Section:
    """The statement of one currency, and how far it has been read."""

    currency: Currency
    spans: Sequence[Span]
    reached: Sequence[int]
    balance_minor: int
    incoming_minor: int = 0
    outgoing_minor: int = 0
    is_begun: bool = False

    @classmethod
    def of(cls, statement: Statement) -> "Section":
        reached = [span.after for span in statement.spans]
        return cls(statement.currency, statement.spans, reached, statement.opening.minor)

    @property
    def closing_minor(self) -> int:
        return sum(span.closing_minor for span in self.spans)

    def json(self) -> dict[str, Any]:
        return {
            "currency": self.currency.value,
            "spans": [span_json(span) for span in self.spans],
            "reached": list(self.reached),
            "balance": str(self.balance_minor),
            "incoming": str(self.incoming_minor),
            "outgoing": str(self.outgoing_minor),
            "is_begun": self.is_begun,
        }

    @classmethod
    def read_back(cls, kept: Mapping[str, Any]) -> "Section":
        return cls(
            currency=Currency(kept["currency"]),
            spans=[span_of(each) for each in kept["spans"]],
            reached=kept["reached"],
            balance_minor=int(kept["balance"]),
            incoming_minor=int(kept["incoming"]),
            outgoing_minor=int(kept["outgoing"]),
            is_begun=kept["is_begun"],
        )


@dataclass(slots=True)
class StatementSource:
    """Reads the statements of a subject, one currency after the other."""

    period: Period
    sections: list[Section]
    """Those that are not read to their end."""
    codes: AccountCodes = field(default_factory=AccountCodes)
    header: Cells = HEADER

    @classmethod
    async def begin(cls, session: TenantSession, subject: Subject, period: Period) -> "StatementSource":
        """At the first row. What is recorded from now on is no part of it."""
        return cls(period, [Section.of(each) for each in await statements_of(session, subject, period)])

    @classmethod
    def resume(cls, period: Period, place: Mapping[str, Any]) -> "StatementSource":
        """Where an earlier run has put it down."""
        return cls(period, [Section.read_back(each) for each in place["sections"]])

    @property
    def entry_count(self) -> int:
        """Of what is left."""
        return sum(
            span.until - place
            for section in self.sections
            for span, place in zip(section.spans, section.reached, strict=True)
        )

    def place(self) -> dict[str, Any]:
        return {"sections": [section.json() for section in self.sections]}

    async def read(self, tenant: Tenant) -> Sequence[StatementRow]:
        """The next rows, of one currency.

        Raises:
            ValueError: the entries do not lead from the opening to the closing balance: broken books.
        """
        if not self.sections:
            return []
        section = self.sections[0]
        rows: list[StatementRow] = []
        if not section.is_begun:
            section.is_begun = True
            rows.append(BalanceRow("opening", self.period.since, section.currency, section.balance_minor))
        batch = await entries_after(tenant, section.spans, section.reached, BATCH_ROWS)
        await self.codes.learn(tenant, _accounts(batch.entries))
        rows += self._entry_rows(section, batch.entries)
        section.reached = batch.reached
        if len(batch.entries) < BATCH_ROWS:
            rows.append(self._closing(section))
            del self.sections[0]
        return rows

    def _entry_rows(self, section: Section, entries: Sequence[StatementEntry]) -> Iterator[EntryRow]:
        codes, exponent = self.codes, section.currency.exponent
        for entry in entries:
            change = entry.change_minor
            section.balance_minor += change
            if change > 0:
                section.incoming_minor += change
            else:
                section.outgoing_minor -= change
            yield EntryRow(
                entry, codes[entry.account_id], codes[entry.other_id], exponent, section.balance_minor
            )

    def _closing(self, section: Section) -> BalanceRow:
        if section.balance_minor != section.closing_minor:
            raise ValueError(f"entries lead to {section.balance_minor}, not to {section.closing_minor}")
        return BalanceRow(
            "closing",
            self.period.before,
            section.currency,
            section.balance_minor,
            section.incoming_minor,
            section.outgoing_minor,
        )


async def statements_of(session: TenantSession, subject: Subject, period: Period) -> Sequence[Statement]:
    """The statements of a subject; none where it has no accounts.

    Raises:
        ValueError: it is no subject of a statement.
    """
    if subject.account_id is not None:
        found = await account_statement(session, subject.account_id, period)
        return [] if found is None else [found]
    if subject.store_id is not None:
        return await store_statements(session, subject.store_id, period)
    raise ValueError("a statement is of an account or a store")


def _accounts(entries: Sequence[StatementEntry]) -> set[UUID]:
    return {entry.account_id for entry in entries} | {entry.other_id for entry in entries}
