"""Statements: what accounts of one currency had, what came and went, and what they had then.

A statement covers one account row, the shards of a split one, or what a store has at all holdings. It is
held together by numbers: entries are gap-free, and never change, so what lies between two sequences of
each account is the same whenever it is read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from core.currency import Currency
from core.money import Money
from core.periods import Period
from tenancy.sessions import TenantSession


@dataclass(frozen=True, slots=True)
class Span:
    """The entries of one account row in a period: those after `after`, up to `until`."""

    account_id: UUID
    code: str
    after: int
    """The sequence of the last entry before the period; 0 where there is none."""
    until: int
    opening_minor: int
    """On the account's normal side, as everything here."""
    closing_minor: int

    @property
    def entry_count(self) -> int:
        return self.until - self.after


@dataclass(frozen=True, slots=True)
class Statement:
    """Accounts of one currency in one period. Opening and all entries together are closing."""

    currency: Currency
    period: Period
    spans: Sequence[Span]

    @property
    def opening(self) -> Money:
        """The balance when the period began."""
        return Money(sum(span.opening_minor for span in self.spans), self.currency)

    @property
    def closing(self) -> Money:
        """The balance when it had ended, or now where it has not."""
        return Money(sum(span.closing_minor for span in self.spans), self.currency)

    @property
    def entry_count(self) -> int:
        return sum(span.entry_count for span in self.spans)


@dataclass(frozen=True, slots=True)
class Turnover:
    """What a statement's entries come to. Opening, plus `incoming`, less `outgoing`, is closing."""

    incoming: Money
    outgoing: Money


async def account_statement(session: TenantSession, account_id: UUID, period: Period) -> Statement | None:
    """The statement of one ledger account, of a split one with all its shards. None: there is no such one."""
    found = _statements(await _spans(session, _OF_ACCOUNT, account_id, period), period)
    return found[0] if found else None


async def store_statements(
    session: TenantSession, store_id: UUID, period: Period, currency: Currency | None = None
) -> list[Statement]:
    """What a store has, at all holdings together: a statement for each currency, or for one of them."""
    rows = await _spans(session, _OF_STORE, store_id, period)
    found = _statements(rows, period)
    return [each for each in found if currency is None or each.currency is currency]


async def account_spans(session: TenantSession, account_id: UUID, period: Period) -> list[Span]:
    """The entries of an account and its other shards. Empty: there is no such account."""
    return [_span(row) for row in await _spans(session, _OF_ACCOUNT, account_id, period)]


async def store_spans(session: TenantSession, store_id: UUID, period: Period) -> list[Span]:
    """The entries of every account of a store, of any currency and purpose."""
    return [_span(row) for row in await _spans(session, _OF_ALL_STORE, store_id, period)]


async def turnover(session: TenantSession, statement: Statement) -> Turnover:
    """Add up what came in and what went out: some milliseconds for ten thousand entries."""
    spans = statement.spans
    row = (
        await session.execute(
            text(_TURNOVER),
            {
                "ids": [span.account_id for span in spans],
                "after": [span.after for span in spans],
                "until": [span.until for span in spans],
            },
        )
    ).one()
    return Turnover(
        Money(int(row.incoming), statement.currency), Money(int(row.outgoing), statement.currency)
    )


async def _spans(session: TenantSession, of: str, id_: UUID, period: Period) -> Sequence[Any]:
    values = {"id": id_, "since": period.since, "before": period.before}
    sql = _SPANS.format(of=of)
    return (await session.execute(text(sql), values)).all()


def _statements(rows: Iterable[Any], period: Period) -> list[Statement]:
    by_currency: dict[Currency, list[Span]] = {}
    for row in rows:
        by_currency.setdefault(Currency(row.currency), []).append(_span(row))
    return [Statement(currency, period, spans) for currency, spans in sorted(by_currency.items())]


def _span(row: Any) -> Span:  # noqa: ANN401 - a row of text()
    return Span(row.id, row.code, row.after, row.until, int(row.opening), int(row.closing))


_OF_ACCOUNT: Final = (
    "(account.code, account.currency)"
    " = (SELECT code, currency FROM ledger_accounts WHERE id = CAST(:id AS uuid))"
)
_OF_ALL_STORE: Final = "account.store_id = CAST(:id AS uuid)"
_OF_STORE: Final = rf"{_OF_ALL_STORE} AND account.code LIKE 'store\:%\:available\:%'"

# The entries of an account are in the order of their times, so how many are older than an instant is
# found by halving: some twenty steps in the primary key for a million entries.
# Everything up to `low` is older; nothing above `high` is.
_SPANS: Final = """
SELECT account.id, account.code, account.currency, bounds.after, bounds.until,
    coalesce(opened.balance_after_minor, 0) AS opening, coalesce(last.balance_after_minor, 0) AS closing
FROM ledger_accounts AS account
CROSS JOIN LATERAL (
    SELECT min(older.count) AS after, max(older.count) AS until
    FROM (VALUES (CAST(:since AS timestamptz)), (CAST(:before AS timestamptz))) AS instant (at)
    CROSS JOIN LATERAL (
        WITH RECURSIVE search AS (
            SELECT CAST(0 AS bigint) AS low, account.entry_count AS high
            UNION ALL
            SELECT CASE WHEN entry.created_at < instant.at THEN entry.sequence ELSE search.low END,
                CASE WHEN entry.created_at < instant.at THEN search.high ELSE entry.sequence - 1 END
            FROM search JOIN ledger_entries AS entry
                ON entry.account_id = account.id AND entry.sequence = (search.low + search.high + 1) / 2
            WHERE search.low < search.high
        )
        SELECT max(low) AS count FROM search
    ) AS older
) AS bounds
LEFT JOIN ledger_entries AS opened ON opened.account_id = account.id AND opened.sequence = bounds.after
LEFT JOIN ledger_entries AS last ON last.account_id = account.id AND last.sequence = bounds.until
WHERE {of}
ORDER BY account.currency, account.code, account.shard
"""

_TURNOVER: Final = """
SELECT coalesce(sum(entry.amount_minor) FILTER (WHERE entry.side = account.normal_side), 0) AS incoming,
    coalesce(sum(entry.amount_minor) FILTER (WHERE entry.side <> account.normal_side), 0) AS outgoing
FROM unnest(CAST(:ids AS uuid[]), CAST(:after AS bigint[]), CAST(:until AS bigint[]))
    AS span (account_id, after, until)
JOIN ledger_accounts AS account ON account.id = span.account_id
JOIN ledger_entries AS entry ON entry.account_id = span.account_id
    AND entry.sequence > span.after AND entry.sequence <= span.until
"""
