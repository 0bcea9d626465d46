-- The statements of one initiatePayment as the server runs them; channel, store and account are given.
-- The outbox row is `done`: these payments are nobody's, and must not be sent.
\set payment random(1, 9000000000000000000)
\set phone random(10000000, 99999999)
SELECT channels.id AS channel_id, channels.status, channels.currency, channels.environment, channels.short_code,
       provider_accounts.id AS provider_account_id, provider_accounts.provider, provider_accounts.is_enabled,
       stores.id AS store_id, stores.closed_at,
       EXISTS (SELECT * FROM idempotency_records
                WHERE idempotency_records.operation = 'initiate_payment'
                  AND idempotency_records.key = to_hex(:payment::bigint)) AS is_used
  FROM channels JOIN provider_accounts ON provider_accounts.id = channels.provider_account_id
  LEFT OUTER JOIN stores ON stores.id = coalesce(NULL::uuid, channels.store_id)
 WHERE channels.id = :channel::uuid;
WITH taken AS (
  INSERT INTO idempotency_records (id, created_at, operation, key, actor, input_hash, outcome, result)
  SELECT uuidv7(), now(), 'initiate_payment', to_hex(:payment::bigint), 'api_key:01a1fde4-a8e8-7342-b469-70048d9a2ba6',
         '\xffd1ed3476cc9c11e96a05912874ae4f062962d62fec8815f62bdcf58baec235'::bytea, 'success',
         '{"payment": "01a1fdee-094f-73ee-8d55-86b239bf4cfd"}'::jsonb
   WHERE set_config('lock_timeout', '2000', true) IS NOT NULL
  ON CONFLICT (operation, key) DO NOTHING RETURNING idempotency_records.id),
payer AS (
  INSERT INTO customers (id, created_at, phone, name, email)
  SELECT uuidv7(), now(), '+2547' || :phone::text, NULL, NULL FROM taken
  ON CONFLICT (phone) DO UPDATE SET name = coalesce(excluded.name, customers.name),
                                    email = coalesce(excluded.email, customers.email)
  RETURNING customers.id),
payment AS (
  INSERT INTO payments (id, created_at, store_id, channel_id, provider_account_id, customer_id, provider, environment,
                        short_code, amount_minor, currency, phone, reference, order_reference, description, status,
                        sub_status, failure_code, failure_message, version, item_hash, provider_reference,
                        request_reference, receipt, needs_review, review_note, polls, expires_at, submitted_at, settled_at)
  SELECT lpad(to_hex(:payment::bigint), 32, '0')::uuid, now(), :store::uuid, :channel::uuid, :account::uuid,
         payer.id, 'mpesa', 'sandbox', '174379', 1000, 'KES', '+2547' || :phone::text,
         right(to_hex(:payment::bigint), 12), NULL, 'Order', 'created', NULL, NULL, NULL, 1, NULL, NULL,
         NULL, NULL, false, NULL, 0, now() + interval '5 minutes', NULL, NULL FROM payer),
event AS (
  INSERT INTO payment_events (id, created_at, payment_id, version, from_status, to_status, sub_status, cause, details)
  SELECT uuidv7(), now(), lpad(to_hex(:payment::bigint), 32, '0')::uuid, 1, NULL, 'created', NULL, 'api', '{}'::jsonb
    FROM payer),
act AS (
  INSERT INTO audit_log (id, created_at, actor_kind, actor_id, action, subject, reason, ip, user_agent, request_id, details)
  SELECT uuidv7(), now(), 'api_key', '01a1fde4-a8e8-7342-b469-70048d9a2ba6'::uuid, 'initiate_payment',
         'pay_01m7yyw2afefq8tnc6p8wvyk7x', NULL, '127.0.0.1', 'bench', '3678a2855ff5d347f0308b739196cd29', '{}'::jsonb
    FROM taken),
job AS (
  INSERT INTO outbox (id, created_at, queue, kind, payload, state, attempts, next_attempt_at, leased_until, last_error, finished_at)
  SELECT uuidv7(), now(), 'payments', 'submit_payment', '{"payment_id": "01a1fdee-094f-73ee-8d55-86b239bf4cfd"}'::jsonb,
         'done', 0, now(), NULL, NULL, NULL FROM taken)
SELECT payer.id FROM payer;
