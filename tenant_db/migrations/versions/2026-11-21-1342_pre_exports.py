"""Files that jobs make for people."""

from alembic import op

revision = "20261121_1342"
down_revision = "20261121_1341"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _exports()
    _export_parts()
    _grant()


def _exports() -> None:
    op.execute(
        """
        CREATE TABLE exports (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            kind TEXT NOT NULL,
            format TEXT NOT NULL,
            status TEXT NOT NULL,
            account_id UUID,
            store_id UUID,
            since TIMESTAMP WITH TIME ZONE NOT NULL,
            before TIMESTAMP WITH TIME ZONE NOT NULL,
            time_zone TEXT NOT NULL,
            file_name TEXT NOT NULL,
            requested_by TEXT NOT NULL,
            row_total BIGINT NOT NULL,
            row_count BIGINT NOT NULL,
            part_count INTEGER NOT NULL,
            size_bytes BIGINT NOT NULL,
            place JSONB NOT NULL,
            version INTEGER NOT NULL,
            started_at TIMESTAMP WITH TIME ZONE,
            finished_at TIMESTAMP WITH TIME ZONE,
            expires_at TIMESTAMP WITH TIME ZONE,
            failure TEXT,
            CONSTRAINT pk_exports PRIMARY KEY (id),
            CONSTRAINT ck_exports_kind_known CHECK (kind IN ('statement', 'transactions', 'report')),
            CONSTRAINT ck_exports_format_known CHECK (format IN ('csv', 'pdf')),
            CONSTRAINT ck_exports_status_known CHECK (status IN (
                'queued', 'running', 'ready', 'failed', 'expired')),
            CONSTRAINT ck_exports_period_not_empty CHECK (since < before),
            CONSTRAINT ck_exports_one_subject CHECK (num_nonnulls(account_id, store_id) <= 1),
            CONSTRAINT fk_exports_account_id FOREIGN KEY(account_id) REFERENCES ledger_accounts (id),
            CONSTRAINT fk_exports_store_id FOREIGN KEY(store_id) REFERENCES stores (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_exports_page ON exports (created_at, id)")
    op.execute("CREATE INDEX ix_exports_open ON exports (created_at) WHERE status IN ('queued', 'running')")
    op.execute("CREATE INDEX ix_exports_expires ON exports (expires_at) WHERE status = 'ready'")
    op.execute("CREATE INDEX ix_exports_account_id ON exports (account_id)")
    op.execute("CREATE INDEX ix_exports_store_id ON exports (store_id)")


def _export_parts() -> None:
    op.execute(
        """
        CREATE TABLE export_parts (
            export_id UUID NOT NULL,
            number INTEGER NOT NULL,
            content BYTEA NOT NULL,
            CONSTRAINT pk_export_parts PRIMARY KEY (export_id, number),
            CONSTRAINT fk_export_parts_export_id FOREIGN KEY(export_id) REFERENCES exports (id)
        )
        """
    )


def _grant() -> None:
    op.execute("GRANT SELECT, INSERT, UPDATE ON exports TO hazina_tenant")
    # A part is never rewritten; it goes when its time is over.
    op.execute("GRANT SELECT, INSERT, DELETE ON export_parts TO hazina_tenant")
