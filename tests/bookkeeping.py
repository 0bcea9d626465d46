"""What is always true of a ledger, whatever happened to it; each truth is a query for what breaks it."""

from typing import Final

from tenancy.sessions import Tenant

TRUTHS: Final = {
    "debits are credits in each currency": """
        SELECT currency, sum(CASE side WHEN 'debit' THEN entry.amount_minor ELSE -entry.amount_minor END)
          FROM ledger_entries AS entry JOIN ledger_accounts AS account ON account.id = account_id
         GROUP BY currency
        HAVING sum(CASE side WHEN 'debit' THEN entry.amount_minor ELSE -entry.amount_minor END) <> 0
    """,
    "a transfer has its two entries and no others": """
        SELECT * FROM (
          SELECT transfer.idempotency_key, count(entry) AS entries, count(*) FILTER (
                   WHERE entry.amount_minor = transfer.amount_minor AND entry.created_at = transfer.created_at
                     AND (side, account_id, sequence) IN (('debit', source_id, source_sequence),
                         ('credit', destination_id, destination_sequence))) AS fitting
            FROM ledger_transfers AS transfer FULL JOIN ledger_entries AS entry ON transfer_id = transfer.id
           GROUP BY transfer.id) AS counted
         WHERE (entries, fitting) <> (2, 2) OR idempotency_key IS NULL
    """,
    "posted counters are the sums of entries": """
        SELECT code, posted_debits_minor, posted_credits_minor, entry_count, debits, credits, entries
          FROM ledger_accounts AS account LEFT JOIN (
               SELECT account_id, count(*) AS entries,
                      coalesce(sum(amount_minor) FILTER (WHERE side = 'debit'), 0) AS debits,
                      coalesce(sum(amount_minor) FILTER (WHERE side = 'credit'), 0) AS credits
                 FROM ledger_entries GROUP BY account_id) AS counted ON account_id = account.id
         WHERE (posted_debits_minor, posted_credits_minor, entry_count)
            <> (coalesce(debits, 0), coalesce(credits, 0), coalesce(entries, 0))
    """,
    "pending counters are the sums of pending holds": """
        SELECT code, pending_debits_minor, pending_credits_minor
          FROM ledger_accounts AS account
         WHERE (pending_debits_minor, pending_credits_minor) <> (
               SELECT coalesce(sum(amount_minor) FILTER (WHERE source_id = account.id), 0),
                      coalesce(sum(amount_minor) FILTER (WHERE destination_id = account.id), 0)
                 FROM ledger_holds WHERE state = 'pending' AND account.id IN (source_id, destination_id))
    """,
    "entries are a chain from 1, without a gap, in the order of their times": """
        SELECT * FROM (
          SELECT code, sequence, balance_before_minor, balance_after_minor, entry.created_at,
                 CASE side WHEN normal_side THEN entry.amount_minor ELSE -entry.amount_minor END AS change,
                 row_number() OVER chain AS place,
                 coalesce(lag(balance_after_minor) OVER chain, 0) AS balance,
                 coalesce(lag(entry.created_at) OVER chain, entry.created_at) AS earlier
            FROM ledger_entries AS entry JOIN ledger_accounts AS account ON account.id = account_id
          WINDOW chain AS (PARTITION BY account_id ORDER BY sequence)) AS entry
         WHERE sequence <> place OR balance_before_minor <> balance
            OR balance_after_minor <> balance + change OR created_at < earlier
    """,
    "no floor is broken": """
        SELECT code, floor_minor FROM (
          SELECT *, CASE normal_side
                    WHEN 'debit' THEN posted_debits_minor - posted_credits_minor - pending_credits_minor
                    ELSE posted_credits_minor - posted_debits_minor - pending_debits_minor END AS available
            FROM ledger_accounts) AS account
         WHERE available < floor_minor OR EXISTS (
               SELECT FROM ledger_entries WHERE account_id = account.id AND balance_after_minor < floor_minor)
    """,
    "no ceiling is broken": """
        SELECT code, ceiling_minor FROM ledger_accounts
         WHERE CASE normal_side
               WHEN 'debit' THEN posted_debits_minor - posted_credits_minor + pending_debits_minor
               ELSE posted_credits_minor - posted_debits_minor + pending_credits_minor END > ceiling_minor
    """,
    "a hold is resolved at most once": """
        SELECT hold.idempotency_key, state, posted_minor, sum(transfer.amount_minor), count(transfer)
          FROM ledger_holds AS hold LEFT JOIN ledger_transfers AS transfer ON hold_id = hold.id
         GROUP BY hold.id
        HAVING count(transfer) <> (CASE state WHEN 'posted' THEN 1 ELSE 0 END)
            OR coalesce(sum(transfer.amount_minor), 0) <> posted_minor
            OR (state = 'pending') <> (resolved_at IS NULL)
    """,
}


async def require_true_books(tenant: Tenant) -> None:
    """Raises AssertionError with the truths that do not hold, and the rows that break them."""
    broken = {}
    for truth, query in TRUTHS.items():
        rows = await tenant.rows(query)
        if rows:
            broken[truth] = [dict(row) for row in rows[:5]]
    assert broken == {}
