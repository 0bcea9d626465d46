"""Sums over a period: what a store has sold, and what was earned on each place.

Sales and refunds are counted where they enter or leave a store's balance, fees wherever they are
taken. A reversal takes away from what it undoes, in the period in which it was recorded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from core.currency import Currency
from core.money import Money
from core.periods import Period
from tenancy.sessions import TenantSession
from tenant_db.ledger.places import providers_of


@dataclass(frozen=True, slots=True)
class Takings:
    """What was taken in one currency: each part is zero or more, unless reversals exceed it."""

    sales_count: int
    gross: Money
    """Sales."""
    fees: Money
    refunds: Money

    @property
    def net(self) -> Money:
        """What is left of the sales."""
        return self.gross - self.fees - self.refunds

    def __add__(self, other: "Takings") -> "Takings":
        return Takings(
            self.sales_count + other.sales_count,
            self.gross + other.gross,
            self.fees + other.fees,
            self.refunds + other.refunds,
        )


@dataclass(frozen=True, slots=True)
class PlaceTakings:
    """What was taken at one place where money can be."""

    place: str | None
    """Its TypeID; None for what touched no place, such as a fee between two custom accounts."""
    provider: str | None
    """The catalog's code, such as `mpesa`."""
    takings: Takings


async def takings_by_place(
    session: TenantSession, period: Period, store_id: UUID | None = None
) -> list[PlaceTakings]:
    """What was recorded in a period, by place and currency; of one store, or of all.

    It reads every transfer of the period: some 100,000 in a tenth of a second.
    """
    sql = _TAKINGS.format(only="" if store_id is None else _OF_STORE)
    values = {"since": period.since, "before": period.before, "store": store_id}
    rows = (await session.execute(text(sql), values)).all()
    providers = await providers_of(session, {row.place for row in rows if row.place is not None})
    return [PlaceTakings(row.place, providers.get(row.place), _takings(row)) for row in rows]


async def takings_of_store(session: TenantSession, store_id: UUID, period: Period) -> list[Takings]:
    """What one store has taken in a period, by currency."""
    by_currency: dict[Currency, Takings] = {}
    for line in await takings_by_place(session, period, store_id):
        currency, known = line.takings.gross.currency, by_currency.get(line.takings.gross.currency)
        by_currency[currency] = line.takings if known is None else known + line.takings
    return [by_currency[currency] for currency in sorted(by_currency)]


async def payouts_pending(session: TenantSession, store_id: UUID, since: datetime) -> Sequence[Money]:
    """What is set aside for payouts, or on its way and not final, by currency.

    What is on its way is looked for from `since` on: a payout is final after some days.
    """
    rows = await session.execute(text(_PAYOUTS), {"store": store_id, "since": since})
    return [Money(int(row.amount), Currency(row.currency)) for row in rows if row.amount]


def _takings(row: Any) -> Takings:  # noqa: ANN401 - a row of text()
    currency = Currency(row.currency)
    return Takings(
        int(row.sales_count),
        Money(int(row.gross), currency),
        Money(int(row.fees), currency),
        Money(int(row.refunds), currency),
    )


_OF_STORE: Final = """
    AND (t.source_id = ANY(ARRAY(SELECT id FROM ledger_accounts WHERE store_id = :store))
        OR t.destination_id = ANY(ARRAY(SELECT id FROM ledger_accounts WHERE store_id = :store)))"""

# Summed before it is joined: there are few pairs of accounts, and many transfers.
_TAKINGS: Final = """
WITH moved AS MATERIALIZED (
    SELECT t.source_id, t.destination_id, t.currency, t.kind, sum(t.amount_minor) AS amount, count(*) AS count
    FROM ledger_transfers AS t
    WHERE t.created_at >= :since AND t.created_at < :before AND t.kind IN ('sale', 'fee', 'refund'){only}
    GROUP BY t.source_id, t.destination_id, t.currency, t.kind
    UNION ALL
    SELECT t.source_id, t.destination_id, t.currency, undone.kind, -sum(t.amount_minor), -count(*)
    FROM ledger_transfers AS t JOIN ledger_transfers AS undone ON undone.id = t.reverses_id
    WHERE t.created_at >= :since AND t.created_at < :before AND t.kind = 'reversal'{only}
    GROUP BY t.source_id, t.destination_id, t.currency, undone.kind
)
SELECT coalesce(destination_holding, source_holding) AS place, currency,
    coalesce(sum(amount) FILTER (WHERE kind = 'sale' AND is_at_store), 0) AS gross,
    coalesce(sum(amount) FILTER (WHERE kind = 'fee'), 0) AS fees,
    coalesce(sum(amount) FILTER (WHERE kind = 'refund' AND is_at_store), 0) AS refunds,
    coalesce(sum(count) FILTER (WHERE kind = 'sale' AND is_at_store), 0) AS sales_count
FROM (
    SELECT moved.currency, moved.kind, moved.amount, moved.count, source.holding AS source_holding,
        destination.holding AS destination_holding,
        coalesce(source.store_id, destination.store_id) IS NOT NULL AS is_at_store
    FROM moved JOIN ledger_accounts AS source ON source.id = moved.source_id
    JOIN ledger_accounts AS destination ON destination.id = moved.destination_id
) AS taken
WHERE kind IN ('sale', 'fee', 'refund')
GROUP BY 1, 2 ORDER BY 2, 1"""

_PAYOUTS: Final = r"""
WITH own AS (SELECT id FROM ledger_accounts WHERE store_id = :store),
ways AS (SELECT id FROM ledger_accounts WHERE code LIKE 'payouts\:in\_flight\:%'),
sent AS (
    SELECT t.id, t.currency, t.amount_minor, t.reference FROM ledger_transfers AS t
    WHERE t.source_id = ANY(ARRAY(SELECT id FROM own)) AND t.destination_id = ANY(ARRAY(SELECT id FROM ways))
        AND t.created_at >= :since
)
SELECT currency, sum(amount) AS amount FROM (
    SELECT hold.currency, hold.amount_minor AS amount FROM ledger_holds AS hold
    WHERE hold.state = 'pending' AND hold.kind = 'payout' AND hold.source_id = ANY(ARRAY(SELECT id FROM own))
    UNION ALL
    SELECT currency, amount_minor FROM sent
    UNION ALL
    SELECT t.currency, -t.amount_minor FROM ledger_transfers AS t
    WHERE t.reference IN (SELECT reference FROM sent) AND t.source_id = ANY(ARRAY(SELECT id FROM ways))
) AS part GROUP BY currency ORDER BY currency"""
