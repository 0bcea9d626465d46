"""Refunds, disputes, alerts and reviews."""

from alembic import op

revision = "20261121_1644"
down_revision = "20261121_1643"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _alerts()
    _refunds()
    _refund_events()
    _disputes()
    _reviews()
    _findings()
    for table in ("alerts", "refunds", "disputes", "reviews"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO hazina_tenant")
    op.execute("GRANT SELECT, INSERT ON refund_events TO hazina_tenant")
    op.execute(
        "CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON refund_events"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _alerts() -> None:
    op.execute(
        """
        CREATE TABLE alerts (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
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
            CONSTRAINT ck_alerts_state_known CHECK (state IN ('open', 'acknowledged', 'resolved'))
        )
        """
    )
    op.execute("CREATE INDEX ix_alerts_page ON alerts (created_at, id)")
    op.execute("CREATE INDEX ix_alerts_state ON alerts (state, created_at, id)")
    op.execute("CREATE UNIQUE INDEX uq_alerts_unresolved ON alerts (dedupe_key) WHERE state <> 'resolved'")


def _refunds() -> None:
    op.execute(
        """
        CREATE TABLE refunds (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            payment_id UUID NOT NULL,
            store_id UUID NOT NULL,
            provider_account_id UUID NOT NULL,
            provider TEXT NOT NULL,
            amount_minor NUMERIC(38, 0) NOT NULL,
            currency TEXT NOT NULL,
            reason TEXT NOT NULL,
            origin TEXT NOT NULL,
            requested_by TEXT NOT NULL,
            status TEXT NOT NULL,
            version INTEGER NOT NULL,
            provider_reference TEXT,
            item_hash BYTEA,
            hold_id UUID,
            transfer_id UUID,
            reversal_id UUID,
            failure_code TEXT,
            failure_message TEXT,
            attention TEXT,
            asks INTEGER NOT NULL,
            submitted_at TIMESTAMP WITH TIME ZONE,
            settled_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_refunds PRIMARY KEY (id),
            CONSTRAINT ck_refunds_status_known CHECK (status IN (
                'requested', 'submitting', 'unknown', 'pending', 'needs_attention', 'succeeded',
                'failed', 'reversed')),
            CONSTRAINT ck_refunds_origin_known CHECK (origin IN ('api', 'review', 'provider')),
            CONSTRAINT ck_refunds_amount_positive CHECK (amount_minor > 0),
            CONSTRAINT fk_refunds_payment_id FOREIGN KEY(payment_id) REFERENCES payments (id),
            CONSTRAINT fk_refunds_store_id FOREIGN KEY(store_id) REFERENCES stores (id),
            CONSTRAINT fk_refunds_provider_account_id FOREIGN KEY(provider_account_id)
                REFERENCES provider_accounts (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_refunds_page ON refunds (created_at, id)")
    op.execute("CREATE INDEX ix_refunds_payment_id ON refunds (payment_id)")
    op.execute("CREATE INDEX ix_refunds_store_page ON refunds (store_id, created_at, id)")
    op.execute("CREATE UNIQUE INDEX uq_refunds_item_hash ON refunds (item_hash) WHERE item_hash IS NOT NULL")
    op.execute(
        "CREATE UNIQUE INDEX uq_refunds_provider_reference"
        " ON refunds (provider_account_id, provider_reference) WHERE provider_reference IS NOT NULL"
    )


def _refund_events() -> None:
    op.execute(
        """
        CREATE TABLE refund_events (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            refund_id UUID NOT NULL,
            version INTEGER NOT NULL,
            from_status TEXT,
            to_status TEXT NOT NULL,
            cause TEXT NOT NULL,
            details JSONB NOT NULL,
            CONSTRAINT pk_refund_events PRIMARY KEY (id),
            CONSTRAINT uq_refund_events_refund_id_version UNIQUE (refund_id, version),
            CONSTRAINT fk_refund_events_refund_id FOREIGN KEY(refund_id) REFERENCES refunds (id)
        )
        """
    )


def _disputes() -> None:
    op.execute(
        """
        CREATE TABLE disputes (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            payment_id UUID NOT NULL,
            store_id UUID NOT NULL,
            provider_account_id UUID NOT NULL,
            provider TEXT NOT NULL,
            provider_reference TEXT NOT NULL,
            amount_minor NUMERIC(38, 0) NOT NULL,
            currency TEXT NOT NULL,
            reason TEXT NOT NULL,
            status TEXT NOT NULL,
            version INTEGER NOT NULL,
            evidence_due_at TIMESTAMP WITH TIME ZONE,
            evidence JSONB NOT NULL,
            evidence_submitted_at TIMESTAMP WITH TIME ZONE,
            is_withdrawal_told BOOLEAN NOT NULL,
            is_reinstatement_told BOOLEAN NOT NULL,
            withdrawal_id UUID,
            reinstatement_id UUID,
            closed_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_disputes PRIMARY KEY (id),
            CONSTRAINT ck_disputes_status_known CHECK (status IN (
                'needs_response', 'under_review', 'won', 'lost')),
            CONSTRAINT ck_disputes_amount_positive CHECK (amount_minor > 0),
            CONSTRAINT uq_disputes_provider_account_id_provider_reference
                UNIQUE (provider_account_id, provider_reference),
            CONSTRAINT fk_disputes_payment_id FOREIGN KEY(payment_id) REFERENCES payments (id),
            CONSTRAINT fk_disputes_store_id FOREIGN KEY(store_id) REFERENCES stores (id),
            CONSTRAINT fk_disputes_provider_account_id FOREIGN KEY(provider_account_id)
                REFERENCES provider_accounts (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_disputes_page ON disputes (created_at, id)")
    op.execute("CREATE INDEX ix_disputes_payment_id ON disputes (payment_id)")
    op.execute("CREATE INDEX ix_disputes_store_page ON disputes (store_id, created_at, id)")


def _reviews() -> None:
    op.execute(
        """
        CREATE TABLE reviews (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            subject_kind TEXT NOT NULL,
            subject_id UUID NOT NULL,
            payment_id UUID,
            refund_id UUID,
            confirmation_id UUID,
            inbox_id UUID,
            cause TEXT NOT NULL,
            question TEXT NOT NULL,
            notes JSONB NOT NULL,
            suggestion TEXT,
            state TEXT NOT NULL,
            version INTEGER NOT NULL,
            last_at TIMESTAMP WITH TIME ZONE NOT NULL,
            decision TEXT,
            proof TEXT,
            reason TEXT,
            decided_by TEXT,
            decided_at TIMESTAMP WITH TIME ZONE,
            outcome JSONB NOT NULL,
            CONSTRAINT pk_reviews PRIMARY KEY (id),
            CONSTRAINT ck_reviews_subject_kind_known CHECK (subject_kind IN (
                'payment', 'refund', 'confirmation', 'message')),
            CONSTRAINT ck_reviews_cause_known CHECK (cause IN (
                'unknown_outcome', 'contradiction', 'mismatch', 'not_credited', 'double_payment',
                'unmatched_money', 'unreadable_message', 'refund_unknown',
                'refund_needs_attention', 'refund_unrequested', 'dispute')),
            CONSTRAINT ck_reviews_state_known CHECK (state IN ('open', 'decided', 'overtaken')),
            CONSTRAINT ck_reviews_suggestion_known CHECK (suggestion IN (
                'mark_paid', 'mark_not_paid', 'mark_refunded', 'mark_not_refunded', 'refund',
                'credit_store', 'dismiss')),
            CONSTRAINT ck_reviews_decision_known CHECK (decision IN (
                'mark_paid', 'mark_not_paid', 'mark_refunded', 'mark_not_refunded', 'refund',
                'credit_store', 'dismiss')),
            CONSTRAINT ck_reviews_one_subject
                CHECK (num_nonnulls(payment_id, refund_id, confirmation_id, inbox_id) = 1),
            CONSTRAINT ck_reviews_decision_whole CHECK ((state = 'decided') = (decision IS NOT NULL)),
            CONSTRAINT fk_reviews_payment_id FOREIGN KEY(payment_id) REFERENCES payments (id),
            CONSTRAINT fk_reviews_refund_id FOREIGN KEY(refund_id) REFERENCES refunds (id),
            CONSTRAINT fk_reviews_confirmation_id FOREIGN KEY(confirmation_id)
                REFERENCES payment_confirmations (id),
            CONSTRAINT fk_reviews_inbox_id FOREIGN KEY(inbox_id) REFERENCES inbox (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_reviews_page ON reviews (created_at, id)")
    op.execute("CREATE INDEX ix_reviews_payment_id ON reviews (payment_id)")
    op.execute("CREATE INDEX ix_reviews_refund_id ON reviews (refund_id)")
    op.execute("CREATE INDEX ix_reviews_state ON reviews (state, created_at, id)")
    op.execute(
        "CREATE UNIQUE INDEX uq_reviews_open ON reviews (subject_kind, subject_id) WHERE state = 'open'"
    )


def _findings() -> None:
    """One more kind: a refund and what is posted for it."""
    op.execute(
        """
        ALTER TABLE findings
            DROP CONSTRAINT ck_findings_kind_known,
            ADD CONSTRAINT ck_findings_kind_known CHECK (kind IN (
                'account_balance', 'entry_gap', 'running_balance', 'entry_mismatch', 'hold_total',
                'sale_missing', 'sale_set_aside', 'sale_wrong', 'sale_duplicate', 'sale_unfounded',
                'refund_excess', 'refund_wrong', 'payout_duplicate', 'holding_total',
                'holdings_mixed', 'books_unbalanced'))
        """
    )
