-- A thousand transfers of a shop in one statement: sales, fees and refunds, with entries, counters and keys.
-- `batch` starts at 0 and counts this client's transactions.
\set first :client_id * 1000000000 + :batch * 1000
\set batch :batch + 1
WITH given AS (
  SELECT :first::bigint AS first, :holding::uuid AS holding, :fees::uuid AS fees, :stores::uuid[] AS stores,
         :began::timestamptz AS began, :step_us::bigint * interval '1 microsecond' AS step),
locked AS (
  SELECT id, normal_side = 'debit' AS is_debit, posted_debits_minor AS debits, posted_credits_minor AS credits,
         entry_count AS entries
    FROM ledger_accounts, given WHERE id = ANY (stores || given.holding || fees) ORDER BY id FOR UPDATE OF ledger_accounts),
drawn AS (
  SELECT n, n % 10 AS place, began + n * step AS at, holding, fees,
         -- Every tenth group of ten is the first store's: it has a hundred thousand entries of a million.
         stores[CASE WHEN n / 10 % 10 = 0 THEN 1 ELSE 2 + n / 10 % (cardinality(stores) - 1) END] AS store
    FROM given, generate_series(first, first + 999) AS n),
transfers AS MATERIALIZED (
  SELECT n, at, uuidv7(at - now()) AS id,
         CASE WHEN place < 8 THEN holding ELSE store END AS source,
         CASE place WHEN 8 THEN fees WHEN 9 THEN holding ELSE store END AS destination,
         CASE place WHEN 8 THEN 25 WHEN 9 THEN 500 ELSE 1000 + n * 37 % 9000 END::numeric AS amount,
         CASE place WHEN 8 THEN 'fee' WHEN 9 THEN 'refund' ELSE 'sale' END AS kind
    FROM drawn),
sides AS (
  SELECT n, at, id, source AS account, 'debit' AS side, amount FROM transfers
  UNION ALL SELECT n, at, id, destination, 'credit', amount FROM transfers),
walked AS MATERIALIZED (
  SELECT n, at, sides.id, account, side, amount, locked.entries + row_number() OVER turns AS sequence,
         CASE WHEN is_debit THEN debits - credits ELSE credits - debits END
           + sum(CASE WHEN (side = 'debit') = is_debit THEN amount ELSE -amount END) OVER turns AS after,
         CASE WHEN (side = 'debit') = is_debit THEN amount ELSE -amount END AS change
    FROM sides JOIN locked ON locked.id = account
  WINDOW turns AS (PARTITION BY account ORDER BY n)),
counted AS (
  UPDATE ledger_accounts AS known
     SET posted_debits_minor = locked.debits + new.debits, posted_credits_minor = locked.credits + new.credits,
         entry_count = locked.entries + new.entries
    FROM locked JOIN (SELECT account, count(*) AS entries,
                             coalesce(sum(amount) FILTER (WHERE side = 'debit'), 0) AS debits,
                             coalesce(sum(amount) FILTER (WHERE side = 'credit'), 0) AS credits
                        FROM walked GROUP BY account) AS new ON new.account = locked.id
   WHERE known.id = locked.id),
written AS (
  INSERT INTO ledger_entries (account_id, sequence, created_at, transfer_id, side, amount_minor,
                              balance_before_minor, balance_after_minor)
  SELECT account, sequence, at, id, side, amount, after - change, after FROM walked)
INSERT INTO ledger_transfers (id, created_at, source_id, destination_id, source_sequence, destination_sequence,
                              amount_minor, currency, kind, reference, idempotency_key, effective_at, details)
SELECT transfers.id, transfers.at, source, destination, source_sequence, destination_sequence, amount, 'KES',
       kind, 'order-' || transfers.n / 10, :run::text || transfers.n, at, '{}'
  FROM transfers JOIN (SELECT n, max(sequence) FILTER (WHERE side = 'debit') AS source_sequence,
                              max(sequence) FILTER (WHERE side = 'credit') AS destination_sequence
                         FROM walked GROUP BY n) AS placed ON placed.n = transfers.n;
