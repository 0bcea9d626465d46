"""Balances, now and at any past instant: of accounts, and of stores by currency and holding."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from core.currency import Currency
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.rules import Custody, NormalSide


@dataclass(frozen=True, slots=True)
class Counters:
    """One balance. Each part is on the normal side of its account."""

    total: Money
    """Posted."""
    reserved: Money
    """What pending holds will take."""
    pending: Money
    """What pending holds will bring."""

    @classmethod
    def of(cls, account: LedgerAccount) -> "Counters":
        """Those of an account as it was read."""
        is_debit = account.normal_side == NormalSide.DEBIT
        net = account.posted_debits_minor - account.posted_credits_minor
        pending = (account.pending_debits_minor, account.pending_credits_minor)
        rising, falling = pending if is_debit else reversed(pending)
        parts = (net if is_debit else -net, falling, rising)
        return cls(*(Money(minor, account.currency) for minor in parts))

    @property
    def available(self) -> Money:
        """What can be taken: holds count as spent, and what they would bring does not count yet."""
        return self.total - self.reserved

    def __add__(self, other: "Counters") -> "Counters":
        return Counters(
            self.total + other.total, self.reserved + other.reserved, self.pending + other.pending
        )


@dataclass(frozen=True, slots=True)
class HoldingBalance:
    """What one store has at one holding."""

    holding: str
    """The TypeID of the channel, provider account or wallet."""
    custody: Custody
    counters: Counters


@dataclass(frozen=True, slots=True)
class Balance:
    """The sum over a store's holdings in one currency."""

    counters: Counters
    holdings: Sequence[HoldingBalance]


@dataclass(frozen=True, slots=True)
class StoreState:
    """A store's balances at one moment, and what tells two moments apart."""

    balances: Sequence[Balance]
    """By currency in alphabetical order; empty until it earns."""
    account_ids: frozenset[UUID]
    sequence: int
    """How many entries its accounts have: of two states, the one with more is newer."""
    as_of: datetime
    """By the database's clock; holds move a balance without an entry."""


async def store_state(session: TenantSession, store_id: UUID) -> StoreState:
    """What a store has now."""
    rows = (await session.execute(text(_NOW.format(of=_OF_STORE)), {"store": store_id})).all()
    accounts = [row for row in rows if row.id is not None]
    return StoreState(
        balances=_by_currency(accounts),
        account_ids=frozenset(row.id for row in accounts),
        sequence=sum(row.entry_count for row in accounts),
        as_of=rows[0].as_of,
    )


async def store_balances(session: TenantSession, store_id: UUID, at: datetime | None = None) -> list[Balance]:
    """What a store has now, or had at a past instant, by currency in alphabetical order.

    A store has no balance in a currency before it has earned or been promised any of it.
    """
    if at is None:
        return list((await store_state(session, store_id)).balances)
    rows = await session.execute(text(_THEN.format(of=_OF_STORE)), {"store": store_id, "at": at})
    return _by_currency(row for row in rows if row.entry_count or row.debits or row.credits)


async def account_balances(
    session: TenantSession, ids: Sequence[UUID], at: datetime | None = None
) -> dict[UUID, Counters]:
    """The balances of these accounts now, or at a past instant, by id. Of a split one, the shard's own."""
    sql = (_NOW if at is None else _THEN).format(of=_OF_IDS)
    rows = await session.execute(text(sql), {"ids": list(ids), "at": at})
    return {row.id: _counters(row) for row in rows if row.id is not None}


def _by_currency(rows: Iterable[Any]) -> list[Balance]:
    """Sums rows of one holding, so that an account in parts is one balance."""
    by_currency: dict[Currency, dict[str, HoldingBalance]] = {}
    for row in rows:
        counters = _counters(row)
        holdings = by_currency.setdefault(counters.total.currency, {})
        known = holdings.get(row.holding)
        total = counters if known is None else known.counters + counters
        holdings[row.holding] = HoldingBalance(row.holding, Custody(row.custody), total)
    return [_sum(currency, holdings) for currency, holdings in sorted(by_currency.items())]


def _sum(currency: Currency, holdings: Mapping[str, HoldingBalance]) -> Balance:
    nothing = Money(0, currency)
    total = sum((each.counters for each in holdings.values()), Counters(nothing, nothing, nothing))
    return Balance(total, [holdings[name] for name in sorted(holdings)])


def _counters(row: Any) -> Counters:  # noqa: ANN401 - a row of text()
    currency, is_debit = Currency(row.currency), row.normal_side == NormalSide.DEBIT
    falling, rising = (row.credits, row.debits) if is_debit else (row.debits, row.credits)
    return Counters(
        Money(int(row.total), currency), Money(int(falling), currency), Money(int(rising), currency)
    )


_OF_STORE: Final = (
    "account.store_id = CAST(:store AS uuid) AND account.holding IS NOT NULL"
    r" AND account.code LIKE 'store\:%\:available\:%'"
)
_OF_IDS: Final = "account.id = ANY(CAST(:ids AS uuid[]))"

# The clock is read where no account is found, too: such a state also has its moment.
_NOW: Final = """
SELECT clock.instant AS as_of, account.id, account.currency, account.normal_side, account.holding,
    account.custody, account.entry_count,
    CASE account.normal_side WHEN 'debit' THEN account.posted_debits_minor - account.posted_credits_minor
        ELSE account.posted_credits_minor - account.posted_debits_minor END AS total,
    account.pending_debits_minor AS debits, account.pending_credits_minor AS credits
FROM (SELECT clock_timestamp() AS instant) AS clock
LEFT JOIN ledger_accounts AS account ON {of}"""

# An account's entries are in the order of their times, so the last one at or before an instant is found
# by halving: some twenty steps in the primary key for a million entries, and no index of the times.
# `low` is 0 or at the instant or before it; everything above `high` is after it.
_THEN: Final = """
SELECT account.id, account.currency, account.normal_side, account.holding, account.custody,
    last.sequence AS entry_count, coalesce(entry.balance_after_minor, 0) AS total,
    (SELECT coalesce(sum(hold.amount_minor), 0) FROM ledger_holds AS hold
        WHERE hold.source_id = account.id AND tstzrange(hold.created_at, hold.resolved_at) @> instant.at
    ) AS debits,
    (SELECT coalesce(sum(hold.amount_minor), 0) FROM ledger_holds AS hold
        WHERE hold.destination_id = account.id AND tstzrange(hold.created_at, hold.resolved_at) @> instant.at
    ) AS credits
FROM (SELECT CAST(:at AS timestamptz) AS at) AS instant
JOIN ledger_accounts AS account ON {of}
CROSS JOIN LATERAL (
    WITH RECURSIVE search AS (
        SELECT CAST(0 AS bigint) AS low, account.entry_count AS high
        UNION ALL
        SELECT CASE WHEN entry.created_at <= instant.at THEN entry.sequence ELSE search.low END,
            CASE WHEN entry.created_at <= instant.at THEN search.high ELSE entry.sequence - 1 END
        FROM search JOIN ledger_entries AS entry
            ON entry.account_id = account.id AND entry.sequence = (search.low + search.high + 1) / 2
        WHERE search.low < search.high
    )
    SELECT low AS sequence FROM search WHERE low = high
) AS last
LEFT JOIN ledger_entries AS entry ON entry.account_id = account.id AND entry.sequence = last.sequence
"""
