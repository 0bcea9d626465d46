"""Provider accounts as tenants manage them, and routing."""

from alembic import op

revision = "20261121_1641"
down_revision = "20261121_1640"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        """
        CREATE TABLE provider_imports (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            entries JSONB NOT NULL,
            rolled_back_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_provider_imports PRIMARY KEY (id)
        )
        """
    )
    op.execute(
        """
        ALTER TABLE provider_accounts
            ADD COLUMN last_tested_at TIMESTAMP WITH TIME ZONE,
            ADD COLUMN tested_version INTEGER,
            ADD COLUMN last_test_error TEXT,
            ADD COLUMN last_test_summary TEXT,
            ADD COLUMN test_warnings JSONB DEFAULT '[]' NOT NULL,
            ADD COLUMN previous_secrets_until TIMESTAMP WITH TIME ZONE,
            ADD COLUMN version INTEGER DEFAULT 1 NOT NULL,
            ADD COLUMN import_id UUID,
            ADD CONSTRAINT fk_provider_accounts_import_id FOREIGN KEY(import_id)
                REFERENCES provider_imports (id)
        """
    )
    op.execute("CREATE INDEX ix_provider_accounts_import_id ON provider_accounts (import_id)")
    op.execute("CREATE INDEX ix_provider_accounts_page ON provider_accounts (created_at, id)")
    op.execute("GRANT SELECT, INSERT, UPDATE ON provider_imports TO hazina_tenant")
