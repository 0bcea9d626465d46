"""What platform staff must look at."""

from alembic import op

revision = "20261121_1641"
down_revision = "20261121_1640"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _alerts()
    op.execute("GRANT SELECT, INSERT, UPDATE ON alerts TO hazina_owner")


def _alerts() -> None:
    op.execute(
        """
        CREATE TABLE alerts (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            tenant_id UUID,
            source_id UUID,
            dedupe_key TEXT NOT NULL,
            kind TEXT NOT NULL,
            severity TEXT NOT NULL,
            subject TEXT NOT NULL,
            message TEXT NOT NULL,
            details JSONB NOT NULL,
            state TEXT NOT NULL,
            count INTEGER NOT NULL,
            last_at TIMESTAMP WITH TIME ZONE NOT NULL,
            version INTEGER NOT NULL,
            acknowledged_at TIMESTAMP WITH TIME ZONE,
            acknowledged_by TEXT,
            resolved_at TIMESTAMP WITH TIME ZONE,
            resolved_by TEXT,
            note TEXT,
            CONSTRAINT pk_alerts PRIMARY KEY (id),
            CONSTRAINT ck_alerts_severity_known CHECK (severity IN ('info', 'warning', 'critical')),
            CONSTRAINT ck_alerts_state_known CHECK (state IN ('open', 'acknowledged', 'resolved')),
            CONSTRAINT fk_alerts_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_alerts_page ON alerts (created_at, id)")
    op.execute("CREATE INDEX ix_alerts_state ON alerts (state, created_at, id)")
    op.execute("CREATE INDEX ix_alerts_tenant ON alerts (tenant_id, created_at, id)")
    op.execute(
        "CREATE UNIQUE INDEX uq_alerts_copy ON alerts (tenant_id, source_id) WHERE source_id IS NOT NULL"
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_alerts_unresolved"
        " ON alerts (dedupe_key) WHERE state <> 'resolved' AND source_id IS NULL"
    )
