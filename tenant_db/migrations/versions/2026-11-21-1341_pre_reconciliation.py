"""Findings, and what providers' statements say."""

from alembic import op

revision = "20261121_1341"
down_revision = "20261121_1340"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _reconciliations()
    _findings()
    _statement_imports()
    _statement_matches()
    _statement_lines()
    _statement_matched_transfers()
    _grant()


def _reconciliations() -> None:
    op.execute(
        """
        CREATE TABLE reconciliations (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            scope TEXT NOT NULL,
            store_id UUID,
            asked_by TEXT NOT NULL,
            night DATE,
            finished_at TIMESTAMP WITH TIME ZONE,
            account_count INTEGER NOT NULL,
            entry_count BIGINT NOT NULL,
            payment_count BIGINT NOT NULL,
            finding_count INTEGER NOT NULL,
            is_cut_off BOOLEAN NOT NULL,
            CONSTRAINT pk_reconciliations PRIMARY KEY (id),
            CONSTRAINT ck_reconciliations_asked_by_known CHECK (asked_by IN (
                'night', 'tenant', 'staff')),
            CONSTRAINT fk_reconciliations_store_id FOREIGN KEY(store_id) REFERENCES stores (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_reconciliations_finished ON reconciliations (scope, finished_at)")
    op.execute("CREATE UNIQUE INDEX uq_reconciliations_night ON reconciliations (scope, night)")


def _findings() -> None:
    op.execute(
        """
        CREATE TABLE findings (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            fingerprint TEXT NOT NULL,
            scope TEXT NOT NULL,
            reconciliation_id UUID NOT NULL,
            seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
            kind TEXT NOT NULL,
            store_id UUID,
            subject TEXT NOT NULL,
            account_ids JSONB NOT NULL,
            transfer_id UUID,
            payment_id UUID,
            currency TEXT,
            expected_minor NUMERIC(38, 0),
            found_minor NUMERIC(38, 0),
            cause TEXT NOT NULL,
            state TEXT NOT NULL,
            vanished_at TIMESTAMP WITH TIME ZONE,
            resolved_at TIMESTAMP WITH TIME ZONE,
            resolved_by TEXT,
            note TEXT,
            adjustment_id UUID,
            CONSTRAINT pk_findings PRIMARY KEY (id),
            CONSTRAINT ck_findings_kind_known CHECK (kind IN (
                'account_balance', 'entry_gap', 'running_balance', 'entry_mismatch',
                'hold_total', 'sale_missing', 'sale_set_aside', 'sale_wrong', 'sale_duplicate',
                'sale_unfounded', 'refund_excess', 'payout_duplicate', 'holding_total',
                'holdings_mixed', 'books_unbalanced')),
            CONSTRAINT ck_findings_state_known CHECK (state IN ('open', 'resolved', 'vanished')),
            CONSTRAINT ck_findings_resolution_whole
                CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
            CONSTRAINT uq_findings_fingerprint UNIQUE (fingerprint),
            CONSTRAINT fk_findings_reconciliation_id FOREIGN KEY(reconciliation_id)
                REFERENCES reconciliations (id),
            CONSTRAINT fk_findings_store_id FOREIGN KEY(store_id) REFERENCES stores (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_findings_open ON findings (scope) WHERE state = 'open'")
    op.execute("CREATE INDEX ix_findings_page ON findings (created_at, id)")
    op.execute("CREATE INDEX ix_findings_reconciliation_id ON findings (reconciliation_id)")
    op.execute("CREATE INDEX ix_findings_store_page ON findings (store_id, created_at, id)")


def _statement_imports() -> None:
    op.execute(
        """
        CREATE TABLE statement_imports (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            provider TEXT NOT NULL,
            channel_id UUID,
            provider_account_id UUID,
            holding TEXT NOT NULL,
            file_name TEXT NOT NULL,
            digest BYTEA NOT NULL,
            content BYTEA,
            state TEXT NOT NULL,
            tolerance_minor NUMERIC(38, 0) NOT NULL,
            tolerance_days INTEGER NOT NULL,
            row_count INTEGER NOT NULL,
            done_count INTEGER NOT NULL,
            imported_count INTEGER NOT NULL,
            duplicate_count INTEGER NOT NULL,
            error_count INTEGER NOT NULL,
            matched_count INTEGER NOT NULL,
            errors JSONB NOT NULL,
            finished_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_statement_imports PRIMARY KEY (id),
            CONSTRAINT ck_statement_imports_provider_known CHECK (provider IN ('mpesa', 'stripe')),
            CONSTRAINT ck_statement_imports_state_known CHECK (state IN (
                'waiting', 'running', 'done', 'refused')),
            CONSTRAINT ck_statement_imports_one_place
                CHECK (num_nonnulls(channel_id, provider_account_id) = 1),
            CONSTRAINT fk_statement_imports_channel_id FOREIGN KEY(channel_id) REFERENCES channels (id),
            CONSTRAINT fk_statement_imports_provider_account_id FOREIGN KEY(provider_account_id)
                REFERENCES provider_accounts (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_statement_imports_channel_id ON statement_imports (channel_id)")
    op.execute("CREATE INDEX ix_statement_imports_page ON statement_imports (created_at, id)")
    op.execute(
        "CREATE INDEX ix_statement_imports_provider_account_id ON statement_imports (provider_account_id)"
    )


def _statement_matches() -> None:
    op.execute(
        """
        CREATE TABLE statement_matches (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            rule TEXT NOT NULL,
            difference_minor NUMERIC(38, 0) NOT NULL,
            currency TEXT NOT NULL,
            matched_by TEXT NOT NULL,
            note TEXT,
            items JSONB NOT NULL,
            undone_at TIMESTAMP WITH TIME ZONE,
            undone_by TEXT,
            undone_note TEXT,
            CONSTRAINT pk_statement_matches PRIMARY KEY (id),
            CONSTRAINT ck_statement_matches_rule_known CHECK (rule IN (
                'reference', 'reference_sum', 'settlement', 'amount_and_time', 'by_hand'))
        )
        """
    )


def _statement_lines() -> None:
    op.execute(
        """
        CREATE TABLE statement_lines (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            import_id UUID NOT NULL,
            holding TEXT NOT NULL,
            row_number INTEGER NOT NULL,
            external_id TEXT NOT NULL,
            kind TEXT NOT NULL,
            reference TEXT NOT NULL,
            amount_minor NUMERIC(38, 0) NOT NULL,
            fee_minor NUMERIC(38, 0) NOT NULL,
            currency TEXT NOT NULL,
            occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
            description TEXT NOT NULL,
            counterparty TEXT NOT NULL,
            digest BYTEA NOT NULL,
            match_id UUID,
            CONSTRAINT pk_statement_lines PRIMARY KEY (id),
            CONSTRAINT ck_statement_lines_kind_known CHECK (kind IN (
                'payment', 'refund', 'fee', 'payout', 'other')),
            CONSTRAINT uq_statement_lines_holding_external_id UNIQUE (holding, external_id),
            CONSTRAINT fk_statement_lines_import_id FOREIGN KEY(import_id)
                REFERENCES statement_imports (id),
            CONSTRAINT fk_statement_lines_match_id FOREIGN KEY(match_id)
                REFERENCES statement_matches (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_statement_lines_import_page ON statement_lines (import_id, created_at, id)")
    op.execute("CREATE INDEX ix_statement_lines_match_id ON statement_lines (match_id)")
    op.execute("CREATE INDEX ix_statement_lines_page ON statement_lines (created_at, id)")
    op.execute(
        "CREATE INDEX ix_statement_lines_unmatched"
        " ON statement_lines (holding, created_at, id) WHERE match_id IS NULL"
    )


def _statement_matched_transfers() -> None:
    op.execute(
        """
        CREATE TABLE statement_matched_transfers (
            transfer_id UUID NOT NULL,
            match_id UUID NOT NULL,
            CONSTRAINT pk_statement_matched_transfers PRIMARY KEY (transfer_id),
            CONSTRAINT fk_statement_matched_transfers_match_id FOREIGN KEY(match_id)
                REFERENCES statement_matches (id)
        )
        """
    )
    op.execute(
        "CREATE INDEX ix_statement_matched_transfers_match_id ON statement_matched_transfers (match_id)"
    )


def _grant() -> None:
    for table in ("reconciliations", "findings", "statement_imports"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO hazina_tenant")
    # What a provider stated is never rewritten; a match is undone, not changed.
    op.execute("GRANT SELECT, INSERT, UPDATE (match_id) ON statement_lines TO hazina_tenant")
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (undone_at, undone_by, undone_note)"
        " ON statement_matches TO hazina_tenant"
    )
    op.execute("GRANT SELECT, INSERT, DELETE ON statement_matched_transfers TO hazina_tenant")
