-- One sale with its entries, counters, idempotency record and audit row. Rivals queue at the advisory lock: where they
-- queue at the row itself, each must follow the versions that the others left, and sixty-four reach half as much.
CREATE FUNCTION bench_post(source uuid, destination uuid, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
PERFORM pg_advisory_xact_lock(1);
WITH source AS (
  UPDATE ledger_accounts SET posted_debits_minor = posted_debits_minor + 100, entry_count = entry_count + 1
   WHERE id = bench_post.source AND closed_at IS NULL
  RETURNING id, entry_count, clock_timestamp() AS at, posted_debits_minor - posted_credits_minor AS after),
destination AS (
  UPDATE ledger_accounts SET posted_credits_minor = posted_credits_minor + 100, entry_count = entry_count + 1
   WHERE id = bench_post.destination AND closed_at IS NULL
  RETURNING id, entry_count, posted_credits_minor - posted_debits_minor AS after),
new AS (SELECT uuidv7() AS id),
record AS (
  INSERT INTO idempotency_records (id, created_at, operation, key, actor, input_hash, outcome, result)
  SELECT uuidv7(), at, 'post_transfer', key, 'api_key:01a1fde4-a8e8-7342-b469-70048d9a2ba6', sha256(key::bytea), 'success',
         jsonb_build_object('transfer', new.id)
    FROM source, new),
act AS (
  INSERT INTO audit_log (id, created_at, actor_kind, actor_id, action, subject, reason, ip, user_agent, request_id, details)
  SELECT uuidv7(), at, 'api_key', '01a1fde4-a8e8-7342-b469-70048d9a2ba6', 'post_transfer', 'txr_01m7yyw2afefq8tnc6p8wvyk7x',
         'a sale', '127.0.0.1', 'bench', '3678a2855ff5d347f0308b739196cd29', '{}'
    FROM source),
entries AS (
  INSERT INTO ledger_entries (account_id, sequence, created_at, transfer_id, side, amount_minor,
                              balance_before_minor, balance_after_minor)
  SELECT source.id, source.entry_count, at, new.id, 'debit', 100, source.after - 100, source.after FROM source, new
  UNION ALL
  SELECT destination.id, destination.entry_count, at, new.id, 'credit', 100, destination.after - 100, destination.after
    FROM source, destination, new)
INSERT INTO ledger_transfers (id, created_at, source_id, destination_id, source_sequence, destination_sequence,
                              amount_minor, currency, kind, reference, idempotency_key, effective_at, details)
SELECT new.id, at, source.id, destination.id, source.entry_count, destination.entry_count,
       100, 'KES', 'sale', 'order', 'people:' || key, at, '{}'
  FROM new, source, destination;
END $$;
GRANT EXECUTE ON FUNCTION bench_post TO hazina_tenant;
