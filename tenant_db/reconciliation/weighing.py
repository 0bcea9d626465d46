"""Weighs what lies at each holding against whose it is, and all debits against all credits.

A holding's accounts are a group: what lies there, and its parts (stores, suspense). Inside the group
both sides of a transfer cancel out; what crosses its edge went to fees, payouts, refunds or
adjustments, or to another holding, which only the same move between what lies there allows.
"""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Row, text

from core.currency import Currency
from tenancy.sessions import TenantSession
from tenant_db.reconciliation.rules import OF_A_KIND_MAX, SHARED, Discrepancy, FindingKind, Observed

_HOLDINGS: Final = text("""
WITH accounts AS MATERIALIZED (
    SELECT id, code LIKE 'holding:%' AS is_place, holding, currency,
        posted_debits_minor - posted_credits_minor AS net_minor
    FROM ledger_accounts
), crossing AS (
    SELECT source.holding AS source, destination.holding AS destination, transfer.currency,
        sum(transfer.amount_minor) AS amount_minor
    FROM ledger_transfers AS transfer
    JOIN accounts AS source ON source.id = transfer.source_id
    JOIN accounts AS destination ON destination.id = transfer.destination_id
    WHERE source.holding IS DISTINCT FROM destination.holding
    GROUP BY 1, 2, 3
), edge AS (
    SELECT holding, currency, sum(amount_minor) AS net_minor
    FROM (
        SELECT source AS holding, currency, amount_minor FROM crossing
        UNION ALL
        SELECT destination, currency, -amount_minor FROM crossing
    ) AS sides GROUP BY holding, currency
)
SELECT holding, currency,
    sum(net_minor) FILTER (WHERE is_place) AS total,
    coalesce(-sum(net_minor) FILTER (WHERE NOT is_place), 0)
        + coalesce((SELECT edge.net_minor FROM edge WHERE edge.holding = accounts.holding
            AND edge.currency = accounts.currency), 0) AS parts,
    array_agg(id ORDER BY id) FILTER (WHERE is_place) AS account_ids
FROM accounts
WHERE holding = ANY(CAST(:places AS text[]))
GROUP BY holding, currency
ORDER BY holding, currency
""")

_MIXED: Final = text("""
WITH accounts AS MATERIALIZED (
    SELECT id, holding FROM ledger_accounts WHERE holding IS NOT NULL
), crossing AS (
    SELECT least(source.holding, destination.holding) AS one,
        greatest(source.holding, destination.holding) AS other, transfer.currency,
        sum(CASE WHEN source.holding < destination.holding
            THEN transfer.amount_minor ELSE -transfer.amount_minor END) AS net_minor,
        max(transfer.id::text)::uuid AS transfer_id
    FROM ledger_transfers AS transfer
    JOIN accounts AS source ON source.id = transfer.source_id
    JOIN accounts AS destination ON destination.id = transfer.destination_id
    WHERE source.holding <> destination.holding
    GROUP BY 1, 2, 3
)
SELECT one, other, currency, net_minor, transfer_id FROM crossing
WHERE net_minor <> 0 AND one = ANY(CAST(:places AS text[]))
ORDER BY one, other, currency LIMIT :most
""")

_SUMS: Final = text("""
SELECT currency, sum(posted_debits_minor) AS debits, sum(posted_credits_minor) AS credits
FROM ledger_accounts GROUP BY currency
HAVING sum(posted_debits_minor) <> sum(posted_credits_minor)
ORDER BY currency
""")


def scope_of(place: str) -> str:
    """The scope of what is found about one holding, whoever looks."""
    return f"holding:{place}"


async def check_holdings(session: TenantSession, places: Collection[str]) -> Observed:
    """Whether what lies at each of `places` is the sum of its parts, by currency; custody never mixes."""
    asked = {"places": sorted(places), "most": OF_A_KIND_MAX + 1}
    totals = await session.execute(_HOLDINGS, {"places": asked["places"]})
    found = [_total(row) for row in totals if int(row.total or 0) != int(row.parts)]
    found += [_mixed(row) for row in await session.execute(_MIXED, asked)]
    return Observed.of(found)


async def check_sums(session: TenantSession) -> Observed:
    """Whether all debits are all credits, by currency."""
    return Observed.of(
        [
            Discrepancy(
                FindingKind.BOOKS_UNBALANCED,
                SHARED,
                str(row.currency),
                (),
                Currency(row.currency),
                int(row.debits),
                int(row.credits),
            )
            for row in await session.execute(_SUMS)
        ]
    )


def _total(row: Row[*tuple[Any, ...]]) -> Discrepancy:
    return Discrepancy(
        FindingKind.HOLDING_TOTAL,
        scope_of(row.holding),
        row.holding,
        tuple(row.account_ids or ()),
        Currency(row.currency),
        int(row.parts),
        int(row.total or 0),
    )


def _mixed(row: Row[*tuple[Any, ...]]) -> Discrepancy:
    return Discrepancy(
        FindingKind.HOLDINGS_MIXED,
        scope_of(row.one),
        f"{row.one} and {row.other}",
        (),
        Currency(row.currency),
        0,
        int(row.net_minor),
        transfer_id=row.transfer_id,
    )
