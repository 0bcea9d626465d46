"""Checks ledger accounts against their own entries, transfers and holds.

Each statement sees one moment, so what is posted meanwhile is either wholly in it or not at all.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text

from core.currency import Currency
from core.ids import Kind, outside
from tenancy.sessions import TenantSession
from tenant_db.ledger.rules import NormalSide
from tenant_db.reconciliation.rules import (
    OF_A_KIND_MAX,
    CountedAccount,
    Discrepancy,
    FindingKind,
    Observed,
    judge_account,
)

# One pass over the entries, in the order of their primary key, and one over the transfers. Whether
# they tell the same is seen by sums of hashes of each one's id, place and amount; only where those
# differ are they joined.
_COUNTED: Final = text("""
WITH accounts AS MATERIALIZED (
    SELECT * FROM ledger_accounts WHERE store_id IS NOT DISTINCT FROM CAST(:store_id AS uuid)
), walked AS (
    SELECT account.id AS account_id, entry.sequence, entry.side, entry.amount_minor,
        hash_numeric_extended(entry.amount_minor, uuid_hash_extended(entry.transfer_id, entry.sequence))
            AS print,
        entry.balance_before_minor, entry.balance_after_minor,
        coalesce(lag(entry.balance_after_minor) OVER neighbours, 0) AS left_minor,
        coalesce(lag(entry.sequence) OVER neighbours, 0) AS left_sequence,
        CASE WHEN entry.side = account.normal_side THEN entry.amount_minor
             ELSE -entry.amount_minor END AS change_minor
    FROM accounts AS account JOIN ledger_entries AS entry ON entry.account_id = account.id
    WINDOW neighbours AS (PARTITION BY account.id ORDER BY entry.sequence)
), sums AS (
    SELECT account_id,
        count(*) AS entries_count,
        coalesce(sum(amount_minor) FILTER (WHERE side = 'debit'), 0) AS entries_debits,
        coalesce(sum(amount_minor) FILTER (WHERE side = 'credit'), 0) AS entries_credits,
        sum(print) FILTER (WHERE side = 'debit') AS debit_prints,
        sum(print) FILTER (WHERE side = 'credit') AS credit_prints,
        min(sequence) FILTER (WHERE sequence <> left_sequence + 1) AS first_gap,
        min(sequence) FILTER (WHERE balance_before_minor <> left_minor
            OR balance_after_minor <> left_minor + change_minor) AS first_break
    FROM walked GROUP BY account_id
), sources AS (
    SELECT source_id AS account_id,
        sum(hash_numeric_extended(amount_minor, uuid_hash_extended(transfer.id, source_sequence))) AS prints
    FROM ledger_transfers AS transfer
    JOIN accounts ON accounts.id = source_id AND accounts.currency = transfer.currency
    GROUP BY source_id
), destinations AS (
    SELECT destination_id AS account_id,
        sum(hash_numeric_extended(amount_minor, uuid_hash_extended(transfer.id, destination_sequence)))
            AS prints
    FROM ledger_transfers AS transfer
    JOIN accounts ON accounts.id = destination_id AND accounts.currency = transfer.currency
    GROUP BY destination_id
), holds AS (
    SELECT account_id, sum(debit) AS holds_debits, sum(credit) AS holds_credits
    FROM (
        SELECT source_id AS account_id, amount_minor AS debit, 0 AS credit
        FROM ledger_holds WHERE state = 'pending'
        UNION ALL
        SELECT destination_id, 0, amount_minor FROM ledger_holds WHERE state = 'pending'
    ) AS sides GROUP BY account_id
)
SELECT account.id, account.code, account.currency, account.normal_side,
    account.posted_debits_minor, account.posted_credits_minor,
    account.pending_debits_minor, account.pending_credits_minor, account.entry_count,
    coalesce(entries_debits, 0), coalesce(entries_credits, 0), coalesce(entries_count, 0),
    coalesce(holds_debits, 0), coalesce(holds_credits, 0),
    first_gap, first_break,
    (debit_prints, credit_prints) IS NOT DISTINCT FROM (sources.prints, destinations.prints)
FROM accounts AS account
LEFT JOIN sums ON sums.account_id = account.id
LEFT JOIN sources ON sources.account_id = account.id
LEFT JOIN destinations ON destinations.account_id = account.id
LEFT JOIN holds ON holds.account_id = account.id
ORDER BY account.code, account.id
""")

# Entries are only ever added at the end, so what was broken a moment ago is still there to be read.
_BROKEN: Final = text("""
SELECT coalesce(before.balance_after_minor, 0)
        + CASE WHEN entry.side = account.normal_side THEN entry.amount_minor ELSE -entry.amount_minor END,
    entry.balance_after_minor, entry.transfer_id
FROM ledger_entries AS entry
JOIN ledger_accounts AS account ON account.id = entry.account_id
LEFT JOIN ledger_entries AS before
    ON before.account_id = entry.account_id AND before.sequence = entry.sequence - 1
WHERE entry.account_id = :account_id AND entry.sequence = :sequence
""")

_UNEQUAL: Final = text("""
WITH accounts AS MATERIALIZED (
    SELECT id, code, currency FROM ledger_accounts
    WHERE store_id IS NOT DISTINCT FROM CAST(:store_id AS uuid)
), of_entries AS (
    SELECT account.id AS account_id, account.code, account.currency, entry.transfer_id,
        transfer.amount_minor AS expected, entry.amount_minor AS found
    FROM accounts AS account
    JOIN ledger_entries AS entry ON entry.account_id = account.id
    LEFT JOIN ledger_transfers AS transfer ON transfer.id = entry.transfer_id
        AND transfer.currency = account.currency
        AND CASE entry.side WHEN 'debit'
            THEN transfer.source_id = account.id AND transfer.source_sequence = entry.sequence
            ELSE transfer.destination_id = account.id AND transfer.destination_sequence = entry.sequence END
    WHERE transfer.id IS NULL OR transfer.amount_minor <> entry.amount_minor
    LIMIT :most
), of_sources AS (
    SELECT account.id, account.code, account.currency, transfer.id, transfer.amount_minor, NULL::numeric
    FROM accounts AS account
    JOIN ledger_transfers AS transfer ON transfer.source_id = account.id
    WHERE NOT EXISTS (SELECT FROM ledger_entries AS entry WHERE entry.account_id = transfer.source_id
        AND entry.sequence = transfer.source_sequence AND entry.transfer_id = transfer.id)
    LIMIT :most
), of_destinations AS (
    SELECT account.id, account.code, account.currency, transfer.id, transfer.amount_minor, NULL::numeric
    FROM accounts AS account
    JOIN ledger_transfers AS transfer ON transfer.destination_id = account.id
    WHERE NOT EXISTS (SELECT FROM ledger_entries AS entry WHERE entry.account_id = transfer.destination_id
        AND entry.sequence = transfer.destination_sequence AND entry.transfer_id = transfer.id)
    LIMIT :most
)
TABLE of_entries UNION ALL TABLE of_sources UNION ALL TABLE of_destinations
""")


async def counted_accounts(session: TenantSession, store_id: UUID | None) -> list[CountedAccount]:
    """A store's accounts, or those of no store, beside what stands behind them."""
    found = await session.execute(_COUNTED, {"store_id": store_id})
    return [_counted(row) for row in found]


async def check_accounts(
    session: TenantSession, scope: str, store_id: UUID | None, accounts: list[CountedAccount]
) -> Observed:
    """Judge `counted_accounts`, and look for transfers whose entries are not what they should be."""
    found = [each for account in accounts for each in judge_account(scope, account)]
    found += [
        await _broken(session, scope, account, account.first_break)
        for account in accounts
        if account.first_break is not None and account.first_gap is None
    ]
    if all(account.is_as_transferred for account in accounts):
        return Observed.of(found)
    unequal = await session.execute(_UNEQUAL, {"store_id": store_id, "most": OF_A_KIND_MAX + 1})
    for account_id, code, currency, transfer_id, expected, seen in unequal:
        found.append(
            Discrepancy(
                FindingKind.ENTRY_MISMATCH,
                scope,
                f"{code}, {outside(Kind.TRANSFER, transfer_id)}",
                (account_id,),
                Currency(currency),
                int(expected or 0),
                int(seen or 0),
                transfer_id=transfer_id,
            )
        )
    return Observed.of(found)


async def _broken(session: TenantSession, scope: str, account: CountedAccount, sequence: int) -> Discrepancy:
    found = await session.execute(_BROKEN, {"account_id": account.id, "sequence": sequence})
    expected, seen, transfer_id = found.one()
    return Discrepancy(
        FindingKind.RUNNING_BALANCE,
        scope,
        f"{account.code}, entry {sequence}",
        (account.id,),
        account.currency,
        int(expected),
        int(seen),
        transfer_id=transfer_id,
    )


def _counted(row: Row[*tuple[Any, ...]]) -> CountedAccount:
    id_, code, currency, normal_side, *numbers, is_as_transferred = row
    exact: list[Any] = [None if number is None else int(number) for number in numbers]
    known = (*exact, is_as_transferred)
    return CountedAccount(id_, code, Currency(currency), NormalSide(normal_side), *known)
