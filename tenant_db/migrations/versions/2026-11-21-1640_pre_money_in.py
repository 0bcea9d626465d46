"""Payments by provider accounts: methods, next actions, captures, fees."""

from alembic import op

revision = "20261121_1640"
down_revision = "20261121_1343"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _payments()
    _indexes()
    _payer_steps()


def _payments() -> None:
    op.execute(
        """
        ALTER TABLE payments
            ALTER channel_id DROP NOT NULL,
            ALTER short_code DROP NOT NULL,
            ALTER phone DROP NOT NULL,
            ADD order_id UUID,
            ADD email TEXT,
            ADD method TEXT DEFAULT 'mobile_money' NOT NULL,
            ADD capture_mode TEXT DEFAULT 'automatic' NOT NULL,
            ADD return_url TEXT,
            ADD next_action JSONB,
            ADD authorized_minor NUMERIC(38, 0),
            ADD captured_minor NUMERIC(38, 0),
            ADD fee_minor NUMERIC(38, 0),
            ADD attempt INTEGER DEFAULT 1 NOT NULL,
            ADD routed_by_us BOOLEAN DEFAULT false NOT NULL,
            ADD tried_account_ids UUID[] DEFAULT '{}' NOT NULL,
            ADD CONSTRAINT ck_payments_method_known
                CHECK (method IN ('mobile_money', 'card', 'bank_transfer')),
            ADD CONSTRAINT ck_payments_capture_mode_known CHECK (capture_mode IN ('automatic', 'manual'))
        """
    )


def _indexes() -> None:
    op.execute(
        "CREATE UNIQUE INDEX uq_payments_account_reference"
        " ON payments (provider_account_id, provider_reference)"
        " WHERE channel_id IS NULL AND provider_reference IS NOT NULL"
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_payments_account_receipt ON payments (provider_account_id, receipt)"
        " WHERE channel_id IS NULL AND receipt IS NOT NULL"
    )
    op.execute("CREATE INDEX ix_payments_review ON payments (created_at, id) WHERE needs_review")


def _payer_steps() -> None:
    op.execute(
        """
        CREATE TABLE payer_steps (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            payment_id UUID NOT NULL,
            sealed TEXT NOT NULL,
            CONSTRAINT pk_payer_steps PRIMARY KEY (id),
            CONSTRAINT fk_payer_steps_payment_id FOREIGN KEY(payment_id) REFERENCES payments (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_payer_steps_payment_id ON payer_steps (payment_id)")
    # What a payer entered is gone once it was handed on.
    op.execute("GRANT SELECT, INSERT, DELETE ON payer_steps TO hazina_tenant")
