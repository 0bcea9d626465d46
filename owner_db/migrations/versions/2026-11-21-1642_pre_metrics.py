"""Payment figures of all tenants, by day."""

from alembic import op

revision = "20261121_1642"
down_revision = "20261121_1641"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        """
        CREATE TABLE payment_figures (
            tenant_id UUID NOT NULL,
            day DATE NOT NULL,
            provider TEXT NOT NULL,
            currency TEXT NOT NULL,
            started INTEGER NOT NULL,
            succeeded INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            expired INTEGER NOT NULL,
            cancelled INTEGER NOT NULL,
            volume_minor NUMERIC(38, 0) NOT NULL,
            CONSTRAINT pk_payment_figures PRIMARY KEY (tenant_id, day, provider, currency),
            CONSTRAINT fk_payment_figures_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_payment_figures_day ON payment_figures (day)")
    op.execute(
        """
        CREATE TABLE call_figures (
            tenant_id UUID NOT NULL,
            day DATE NOT NULL,
            provider TEXT NOT NULL,
            calls INTEGER NOT NULL,
            errors INTEGER NOT NULL,
            CONSTRAINT pk_call_figures PRIMARY KEY (tenant_id, day, provider),
            CONSTRAINT fk_call_figures_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_call_figures_day ON call_figures (day)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON payment_figures, call_figures TO hazina_owner")
