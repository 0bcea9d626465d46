"""What the migrations build is what the models say, and the models serve the revision before too."""

import ast
import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, NullPool, select
from sqlalchemy.ext.asyncio import create_async_engine

import owner_db.models
import tenant_db.models
from server.embedded_roles import MIGRATOR_ROLE
from tenancy.catalogue import Catalogue, catalogue, catalogue_hash, differences
from tenancy.columns import OwnerModel, TenantModel
from tenancy.revisions import Which, folder, head, revisions, too_old
from tests.databases import PostgresServer
from tests.migrated import empty_database, migrated, name_of

ROOT = Path(__file__).resolve().parent.parent.parent
MODELS: dict[Which, type[OwnerModel | TenantModel]] = {Which.OWNER: OwnerModel, Which.TENANT: TenantModel}
EVERY_TABLE = {Which.OWNER: owner_db.models.__all__, Which.TENANT: tenant_db.models.__all__}
NO_LONG_LOCK_FROM = "2026-11-21-1648"
GROWING = (
    "(audit_log|idempotency_records|inbox|ledger_entries|ledger_holds|ledger_transfers|orders|order_items|outbox|"
    "payment_confirmations|payment_events|payments|provider_calls|refund_events|refunds|webhook_attempts|"
    "webhook_deliveries)"
)
INDEXED = re.compile(rf"CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)\S+\s+ON {GROWING}\b")
VALIDATED = re.compile(rf"ALTER TABLE {GROWING}\b[^;]*\bADD CONSTRAINT\b(?![^;]*NOT VALID)", re.DOTALL)
MIGRATIONS = sorted(ROOT.glob("*_db/migrations/versions/*.py"))


@pytest.mark.parametrize("which", list(Which))
async def test_a_migrated_database_is_what_the_models_say(postgres: PostgresServer, which: Which) -> None:
    metadata = MODELS[which].metadata
    async with migrated(postgres, which) as connection, empty_database(postgres) as by_models:
        url = postgres.url(MIGRATOR_ROLE, await name_of(connection))
        assert await found_by_alembic(url, metadata) == []
        await create_all(postgres.url(MIGRATOR_ROLE, by_models), metadata)
        other = await postgres.connect(MIGRATOR_ROLE, by_models)
        live, expected = await catalogue(connection), await catalogue(other)
        await other.close()

    assert differences(of_tables(live), of_tables(expected)) == []


@pytest.mark.parametrize("which", list(Which))
async def test_the_hash_made_in_the_database_is_that_of_the_facts(
    postgres: PostgresServer, which: Which
) -> None:
    async with migrated(postgres, which) as connection:
        assert await catalogue_hash(connection) == (await catalogue(connection)).hash


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ("ALTER TABLE stores ALTER name DROP NOT NULL", "column stores.name"),
        ("ALTER TABLE payments DROP CONSTRAINT ck_payments_status_known", "constraint payments.ck_payments"),
        ("DROP INDEX ix_outbox_due", "index ix_outbox_due"),
        ("ALTER TABLE ledger_entries DISABLE TRIGGER never_changed", "trigger ledger_entries.never_changed"),
        ("GRANT UPDATE ON ledger_transfers TO hazina_tenant", "relation ledger_transfers"),
        ("GRANT UPDATE (action) ON audit_log TO hazina_tenant", "column audit_log.action"),
        ("GRANT CREATE ON SCHEMA public TO hazina_tenant", "schema public"),
        ("ALTER TABLE payments ALTER amount_minor TYPE bigint", "column payments.amount_minor"),
        ("CREATE TABLE mine (id int)", "relation mine"),
    ],
)
async def test_any_change_to_the_schema_shows_in_the_catalogue(
    postgres: PostgresServer, change: str, fact: str
) -> None:
    async with migrated(postgres, Which.TENANT) as connection:
        before, hash_before = await catalogue(connection), await catalogue_hash(connection)
        await connection.execute(change)

        after = await catalogue(connection)
        assert await catalogue_hash(connection) != hash_before

    told = differences(after, before)
    assert any(line.split(" ", 1)[1].startswith(fact) for line in told), told


@pytest.mark.parametrize("which", list(Which))
async def test_the_models_serve_the_newest_revision_and_the_one_before(
    postgres: PostgresServer, which: Which
) -> None:
    for revision in revisions(which)[-2:]:
        async with migrated(postgres, which, revision) as connection:
            engine = create_async_engine(
                postgres.url(MIGRATOR_ROLE, await name_of(connection)), poolclass=NullPool
            )
            async with engine.connect() as session:
                for mapper in MODELS[which].registry.mappers:
                    await session.execute(select(mapper.class_).limit(1))
            await engine.dispose()


@pytest.mark.parametrize("which", list(Which))
def test_the_chain_read_from_its_files_is_the_one_that_alembic_runs(which: Which) -> None:
    script = ScriptDirectory(folder(which))

    assert [found.revision for found in script.walk_revisions()] == revisions(which)[::-1]


def test_only_revisions_before_the_last_two_are_too_old_to_serve() -> None:
    for which in Which:
        chain = revisions(which)
        assert chain[-1] == head(which)
        assert too_old(which).isdisjoint(chain[-2:])


def test_every_table_is_imported_by_its_databases_models_module() -> None:
    for which, names in EVERY_TABLE.items():
        assert {mapper.class_.__name__ for mapper in MODELS[which].registry.mappers} == set(names)


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_is_named_and_limits_how_long_it_waits_for_locks(path: Path) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-\d{4}_(pre|post)_[a-z_]+", path.stem)
    text = path.read_text()
    assert "SET LOCAL lock_timeout" in text
    assert "def downgrade" not in text


def test_new_migrations_hold_no_long_lock_on_tables_that_grow() -> None:
    later = [path for path in MIGRATIONS if path.parts[-4] == "tenant_db" and path.stem >= NO_LONG_LOCK_FROM]
    (money_in,) = [path for path in MIGRATIONS if path.stem.endswith("pre_money_in")]

    assert later
    assert {path.stem: long_locks(path) for path in later if long_locks(path)} == {}
    assert len(long_locks(money_in)) == 4, "as one did that had landed before: see docs/operations.md"


def long_locks(path: Path) -> list[str]:
    """Statements that go over a whole growing table while nobody else may write to it."""
    texts = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    return [
        text for text in texts if isinstance(text, str) and (INDEXED.search(text) or VALIDATED.search(text))
    ]


async def found_by_alembic(url: str, metadata: MetaData) -> list[object]:
    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata))

    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        found = await connection.run_sync(compare)
    await engine.dispose()
    return found


async def create_all(url: str, metadata: MetaData) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()


def of_tables(found: Catalogue) -> Catalogue:
    """What models declare: no grants, triggers or storage settings, and not Alembic's own table."""
    kept = (fact for fact in found.facts if fact.startswith(("column", "constraint", "index", "sequence")))
    plain = (re.sub(r" grants .*$", "", fact) for fact in kept)
    return Catalogue(frozenset(fact for fact in plain if "alembic_version" not in fact))
