"""Migrations run on databases that have rows, and leave every row as it was."""

from datetime import UTC, datetime

from core.ids import new_id
from server.embedded_roles import MIGRATOR_ROLE
from tenancy.migrations import upgrade
from tenancy.revisions import Which, revisions
from tests.databases import PostgresServer
from tests.migrated import migrated, name_of

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


async def test_a_filled_tenant_comes_through_every_migration_unchanged(postgres: PostgresServer) -> None:
    first = revisions(Which.TENANT)[0]
    async with migrated(postgres, Which.TENANT, first) as connection:
        store, source, target, transfer = new_id(), new_id(), new_id(), new_id()
        await connection.execute(
            "INSERT INTO stores (id, created_at, name, code, time_zone)"
            " VALUES ($1, $2, 'Main', 'main', 'UTC')",
            store,
            NOW,
        )
        for account, code, side in ((source, "holding:x", "debit"), (target, "suspense:x", "credit")):
            await connection.execute(
                "INSERT INTO ledger_accounts (id, created_at, code, currency, shard, normal_side,"
                " posted_debits_minor, posted_credits_minor, pending_debits_minor, pending_credits_minor,"
                " entry_count) VALUES ($1, $2, $3, 'KES', 0, $4, 0, 0, 0, 0, 1)",
                account,
                NOW,
                code,
                side,
            )
        await connection.execute(
            "INSERT INTO ledger_transfers (id, created_at, source_id, destination_id, source_sequence,"
            " destination_sequence, amount_minor, currency, kind, reference, idempotency_key, effective_at,"
            " details) VALUES ($1, $2, $3, $4, 1, 1, repeat('9', 38)::numeric, 'KES', 'sale', 'r', 'k', $2,"
            " '{}')",
            transfer,
            NOW,
            source,
            target,
        )
        tables = ("stores", "ledger_accounts", "ledger_transfers")
        before = {table: await connection.fetch(f'TABLE "{table}"') for table in tables}

        await upgrade(postgres.url(MIGRATOR_ROLE, await name_of(connection)), Which.TENANT)

        await connection.reload_schema_state()
        assert {table: await connection.fetch(f'TABLE "{table}"') for table in tables} == before


async def test_what_staff_changed_in_the_catalog_survives_the_next_release(postgres: PostgresServer) -> None:
    async with migrated(postgres, Which.OWNER, revisions(Which.OWNER)[0]) as connection:
        await connection.execute(
            "INSERT INTO payment_providers (id, created_at, code, name, api_base_url, sandbox_api_base_url,"
            " methods, features, config_schema, settings, recommendation, is_enabled)"
            " VALUES ($1, $2, 'stripe', 'Ours', 'https://a', 'https://b', '[]', '[]', '{}', '{}', 1, false)",
            new_id(),
            NOW,
        )

        await upgrade(postgres.url(MIGRATOR_ROLE, await name_of(connection)), Which.OWNER)

        rows = await connection.fetch("SELECT code, name FROM payment_providers ORDER BY code")
    names = {row["code"]: row["name"] for row in rows}
    assert set(names) == {"mpesa", "swypt", "stripe", "paystack", "flutterwave"}
    assert names["stripe"] == "Ours"
