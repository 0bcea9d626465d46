-- One sale from a client, the statement that ledger_single_function.sql makes fast.
\set number random(1, 9000000000000000000)
SELECT bench_post(:holding::uuid, :store::uuid, to_hex(:number::bigint));
