"""The catalog as staff manage it."""

from alembic import op

from owner_db.catalog.seeding import load_changes

revision = "20261121_1640"
down_revision = "20261121_1344"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        """
        ALTER TABLE payment_providers
            ADD COLUMN status TEXT DEFAULT 'active' NOT NULL,
            ADD COLUMN integration_type TEXT DEFAULT 'built_in' NOT NULL,
            ADD COLUMN logo_url TEXT,
            ADD COLUMN documentation_url TEXT,
            ADD CONSTRAINT ck_payment_providers_status_known
                CHECK (status IN ('active', 'beta', 'inactive', 'deprecated')),
            ADD CONSTRAINT ck_payment_providers_integration_type_known
                CHECK (integration_type IN ('built_in', 'plugin', 'custom'))
        """
    )
    op.execute("UPDATE payment_providers SET status = 'inactive' WHERE NOT is_enabled")
    op.execute(
        """
        ALTER TABLE provider_currency_support
            ADD COLUMN step_minor NUMERIC(38, 0) DEFAULT 1 NOT NULL,
            ADD COLUMN fee_bps INTEGER DEFAULT 0 NOT NULL,
            ADD COLUMN fee_fixed_minor NUMERIC(38, 0) DEFAULT 0 NOT NULL,
            ADD COLUMN is_recommended BOOLEAN DEFAULT false NOT NULL,
            ADD COLUMN removed_at TIMESTAMP WITH TIME ZONE,
            ADD CONSTRAINT ck_provider_currency_support_fee_possible
                CHECK (fee_bps BETWEEN 0 AND 10000 AND fee_fixed_minor >= 0),
            ADD CONSTRAINT ck_provider_currency_support_step_positive CHECK (step_minor > 0)
        """
    )
    op.execute(
        """
        CREATE TABLE catalog_releases (
            release TEXT NOT NULL,
            loaded_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_catalog_releases PRIMARY KEY (release)
        )
        """
    )
    op.execute("GRANT SELECT, INSERT ON catalog_releases TO hazina_owner")
    load_changes(op.get_bind(), "2026-11-21-1640")
