# long: every table of the first revision, one function each
"""The tables of the first revision, who may do what with them, and the rows that nobody may change."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261121_1046"
down_revision = None
branch_labels = None
depends_on = None

CHANGEABLE = (
    "channels",
    "customers",
    "idempotency_records",
    "inbox",
    "outbox",
    "payment_confirmations",
    "payments",
    "provider_accounts",
    "provider_calls",
    "sealed_secrets",
    "stores",
)
NEVER_DELETED = ("ledger_accounts", "ledger_holds")
INSERT_ONLY = ("audit_log", "ledger_entries", "ledger_transfers", "payment_events")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _audit_log()
    _customers()
    _idempotency_records()
    _identity()
    _inbox()
    _outbox()
    _provider_accounts()
    _provider_calls()
    _stores()
    _channels()
    _ledger_accounts()
    _sealed_secrets()
    _ledger_holds()
    _payments()
    _ledger_transfers()
    _payment_confirmations()
    _payment_events()
    _ledger_entries()
    _refuse_changes()
    _grant()


def _audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("details", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_page", "audit_log", ["created_at", "id"], unique=False)


def _customers() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("phone", name=op.f("uq_customers_phone")),
    )


def _idempotency_records() -> None:
    op.create_table(
        "idempotency_records",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("input_hash", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("result", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_records")),
        sa.UniqueConstraint("operation", "key", name=op.f("uq_idempotency_records_operation_key")),
    )


def _identity() -> None:
    op.create_table(
        "identity",
        sa.Column("is_only", sa.Boolean(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("is_only", name=op.f("ck_identity_one_row")),
        sa.PrimaryKeyConstraint("is_only", name=op.f("pk_identity")),
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("item_hash", sa.LargeBinary(), nullable=True),
        sa.Column("headers", JSONB(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('received', 'processed', 'quarantined')", name=op.f("ck_inbox_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("source", "external_id", name=op.f("uq_inbox_source_external_id")),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'running', 'done', 'dead')", name=op.f("ck_outbox_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_dead", "outbox", ["id"], unique=False, postgresql_where=sa.text("state = 'dead'")
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["queue", "next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'running')"),
    )
    op.create_index(
        "ix_outbox_leased",
        "outbox",
        ["queue", "leased_until"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'running') AND leased_until IS NOT NULL"),
    )


def _provider_accounts() -> None:
    op.create_table(
        "provider_accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("currencies", JSONB(), nullable=False),
        sa.Column("configuration", JSONB(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("secrets_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "environment IN ('sandbox', 'production')", name=op.f("ck_provider_accounts_environment_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_accounts")),
    )
    op.create_index(
        "uq_provider_accounts_default",
        "provider_accounts",
        ["is_default"],
        unique=True,
        postgresql_where=sa.text("is_default"),
    )


def _provider_calls() -> None:
    op.create_table(
        "provider_calls",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("request", JSONB(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("response", JSONB(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_calls")),
    )
    op.create_index("ix_provider_calls_subject", "provider_calls", ["subject_id", "created_at"], unique=False)


def _stores() -> None:
    op.create_table(
        "stores",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stores")),
        sa.UniqueConstraint("code", name=op.f("uq_stores_code")),
    )
    op.create_index("ix_stores_page", "stores", ["created_at", "id"], unique=False)


def _channels() -> None:
    op.create_table(
        "channels",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider_account_id", sa.Uuid(), nullable=False),
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("short_code", sa.Text(), nullable=False),
        sa.Column("head_office_code", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('paybill', 'till')", name=op.f("ck_channels_kind_known")),
        sa.CheckConstraint(
            "status IN ('draft', 'verifying', 'verified', 'refused', 'active', 'inactive')",
            name=op.f("ck_channels_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["provider_account_id"], ["provider_accounts.id"], name=op.f("fk_channels_provider_account_id")
        ),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_channels_store_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
        sa.UniqueConstraint("environment", "short_code", name=op.f("uq_channels_environment_short_code")),
    )
    op.create_index("ix_channels_page", "channels", ["created_at", "id"], unique=False)
    op.create_index(
        op.f("ix_channels_provider_account_id"), "channels", ["provider_account_id"], unique=False
    )
    op.create_index(op.f("ix_channels_store_id"), "channels", ["store_id"], unique=False)


def _ledger_accounts() -> None:
    op.create_table(
        "ledger_accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("normal_side", sa.Text(), nullable=False),
        sa.Column("custody", sa.Text(), nullable=True),
        sa.Column("holding", sa.Text(), nullable=True),
        sa.Column("store_id", sa.Uuid(), nullable=True),
        sa.Column("floor_minor", sa.Numeric(38, 0), nullable=True),
        sa.Column("ceiling_minor", sa.Numeric(38, 0), nullable=True),
        sa.Column("posted_debits_minor", sa.Numeric(38, 0), nullable=False),
        sa.Column("posted_credits_minor", sa.Numeric(38, 0), nullable=False),
        sa.Column("pending_debits_minor", sa.Numeric(38, 0), nullable=False),
        sa.Column("pending_credits_minor", sa.Numeric(38, 0), nullable=False),
        sa.Column("entry_count", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "custody IN ('tenant', 'platform')", name=op.f("ck_ledger_accounts_custody_known")
        ),
        sa.CheckConstraint(
            "normal_side IN ('debit', 'credit')", name=op.f("ck_ledger_accounts_normal_side_known")
        ),
        sa.CheckConstraint(
            "posted_debits_minor >= 0 AND posted_credits_minor >= 0 AND pending_debits_minor >= 0"
            " AND pending_credits_minor >= 0",
            name=op.f("ck_ledger_accounts_counters_not_negative"),
        ),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_ledger_accounts_store_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_accounts")),
        sa.UniqueConstraint("code", "currency", "shard", name=op.f("uq_ledger_accounts_code_currency_shard")),
    )
    _index_ledger_accounts()


def _index_ledger_accounts() -> None:
    op.create_index(op.f("ix_ledger_accounts_holding"), "ledger_accounts", ["holding"], unique=False)
    op.create_index("ix_ledger_accounts_page", "ledger_accounts", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_ledger_accounts_store_id"), "ledger_accounts", ["store_id"], unique=False)


def _sealed_secrets() -> None:
    op.create_table(
        "sealed_secrets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider_account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_account_id"],
            ["provider_accounts.id"],
            name=op.f("fk_sealed_secrets_provider_account_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_secrets")),
    )
    op.create_index("uq_sealed_secrets_name", "sealed_secrets", ["provider_account_id", "name"], unique=True)


def _ledger_holds() -> None:
    op.create_table(
        "ledger_holds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("destination_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.Numeric(38, 0), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("details", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("posted_minor", sa.Numeric(38, 0), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'posted', 'voided', 'expired')", name=op.f("ck_ledger_holds_state_known")
        ),
        sa.CheckConstraint(
            "kind IN ('sale', 'payout', 'fee', 'refund', 'adjustment', 'reversal', 'transfer', 'reward')",
            name=op.f("ck_ledger_holds_kind_known"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_ledger_holds_amount_positive")),
        sa.CheckConstraint(
            "posted_minor BETWEEN 0 AND amount_minor", name=op.f("ck_ledger_holds_posted_within")
        ),
        sa.ForeignKeyConstraint(
            ["destination_id"], ["ledger_accounts.id"], name=op.f("fk_ledger_holds_destination_id")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["ledger_accounts.id"], name=op.f("fk_ledger_holds_source_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_holds")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_ledger_holds_idempotency_key")),
    )
    _index_ledger_holds()


def _index_ledger_holds() -> None:
    op.create_index("ix_ledger_holds_page", "ledger_holds", ["created_at", "id"], unique=False)
    op.create_index("ix_ledger_holds_state", "ledger_holds", ["state", "created_at"], unique=False)
    op.create_index(
        "ix_ledger_holds_open",
        "ledger_holds",
        [sa.text("tstzrange(created_at, resolved_at)")],
        unique=False,
        postgresql_using="gist",
    )
    op.create_index(op.f("ix_ledger_holds_reference"), "ledger_holds", ["reference"], unique=False)
    op.create_index(op.f("ix_ledger_holds_destination_id"), "ledger_holds", ["destination_id"], unique=False)
    op.create_index(
        "ix_ledger_holds_due",
        "ledger_holds",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(op.f("ix_ledger_holds_source_id"), "ledger_holds", ["source_id"], unique=False)


def _payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("provider_account_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("short_code", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.Numeric(38, 0), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("order_reference", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("sub_status", sa.Text(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("item_hash", sa.LargeBinary(), nullable=True),
        sa.Column("provider_reference", sa.Text(), nullable=True),
        sa.Column("request_reference", sa.Text(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("needs_review", sa.Boolean(), nullable=False),
        sa.Column("review_note", sa.Text(), nullable=True),
        sa.Column("polls", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('created', 'submitting', 'unknown', 'pending', 'authorized', "
            "'succeeded', 'failed', 'expired', 'cancelled')",
            name=op.f("ck_payments_status_known"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payments_amount_positive")),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name=op.f("fk_payments_channel_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_payments_customer_id")),
        sa.ForeignKeyConstraint(
            ["provider_account_id"], ["provider_accounts.id"], name=op.f("fk_payments_provider_account_id")
        ),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_payments_store_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("channel_id", "reference", name=op.f("uq_payments_channel_id_reference")),
    )
    _index_payments()


def _index_payments() -> None:
    op.create_index(op.f("ix_payments_customer_id"), "payments", ["customer_id"], unique=False)
    op.create_index(
        "ix_payments_order",
        "payments",
        ["order_reference"],
        unique=False,
        postgresql_where=sa.text("order_reference IS NOT NULL"),
    )
    op.create_index("ix_payments_page", "payments", ["created_at", "id"], unique=False)
    op.create_index(
        op.f("ix_payments_provider_account_id"), "payments", ["provider_account_id"], unique=False
    )
    op.create_index("ix_payments_store_page", "payments", ["store_id", "created_at", "id"], unique=False)
    op.create_index(
        "uq_payments_item_hash",
        "payments",
        ["item_hash"],
        unique=True,
        postgresql_where=sa.text("item_hash IS NOT NULL"),
    )
    op.create_index(
        "uq_payments_provider_reference",
        "payments",
        ["channel_id", "provider_reference"],
        unique=True,
        postgresql_where=sa.text("provider_reference IS NOT NULL"),
    )
    op.create_index(
        "uq_payments_receipt",
        "payments",
        ["environment", "short_code", "receipt"],
        unique=True,
        postgresql_where=sa.text("receipt IS NOT NULL"),
    )


def _ledger_transfers() -> None:
    op.create_table(
        "ledger_transfers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("destination_id", sa.Uuid(), nullable=False),
        sa.Column("source_sequence", sa.BigInteger(), nullable=False),
        sa.Column("destination_sequence", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.Numeric(38, 0), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.Column("hold_id", sa.Uuid(), nullable=True),
        sa.Column("details", JSONB(), nullable=False),
        sa.Column(
            "transaction_id",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind IN ('sale', 'payout', 'fee', 'refund', 'adjustment', 'reversal', 'transfer', 'reward')",
            name=op.f("ck_ledger_transfers_kind_known"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_ledger_transfers_amount_positive")),
        sa.CheckConstraint("source_id <> destination_id", name=op.f("ck_ledger_transfers_two_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_transfers")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_ledger_transfers_idempotency_key")),
    )
    _index_ledger_transfers()


def _index_ledger_transfers() -> None:
    for name, columns in (
        ("ix_ledger_transfers_page", ["created_at", "id"]),
        ("ix_ledger_transfers_source", ["source_id", "created_at"]),
        ("ix_ledger_transfers_destination", ["destination_id", "created_at"]),
        ("ix_ledger_transfers_kind", ["kind", "created_at"]),
        ("ix_ledger_transfers_transaction_id", ["transaction_id"]),
        ("ix_ledger_transfers_reference", ["reference", "created_at"]),
    ):
        op.create_index(name, "ledger_transfers", columns, unique=False)
    op.create_index(
        "ix_ledger_transfers_hold_id",
        "ledger_transfers",
        ["hold_id"],
        unique=False,
        postgresql_where=sa.text("hold_id IS NOT NULL"),
    )
    op.create_index(
        "uq_ledger_transfers_reverses_id",
        "ledger_transfers",
        ["reverses_id"],
        unique=True,
        postgresql_where=sa.text("reverses_id IS NOT NULL"),
    )


def _payment_confirmations() -> None:
    op.create_table(
        "payment_confirmations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("short_code", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.Numeric(38, 0), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("payer", sa.Text(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('matched', 'suspense', 'resolved')", name=op.f("ck_payment_confirmations_state_known")
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payment_confirmations_amount_positive")),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_payment_confirmations_channel_id")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_payment_confirmations_payment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_confirmations")),
        sa.UniqueConstraint(
            "environment",
            "short_code",
            "receipt",
            name=op.f("uq_payment_confirmations_environment_short_code_receipt"),
        ),
    )
    op.create_index(
        op.f("ix_payment_confirmations_channel_id"), "payment_confirmations", ["channel_id"], unique=False
    )
    op.create_index(
        op.f("ix_payment_confirmations_payment_id"), "payment_confirmations", ["payment_id"], unique=False
    )
    op.create_index(
        "ix_payment_confirmations_suspense",
        "payment_confirmations",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'suspense'"),
    )


def _payment_events() -> None:
    op.create_table(
        "payment_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("from_status", sa.Text(), nullable=True),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("sub_status", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("details", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payment_events_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_events")),
        sa.UniqueConstraint("payment_id", "version", name=op.f("uq_payment_events_payment_id_version")),
    )


def _ledger_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.Numeric(38, 0), nullable=False),
        sa.Column("balance_before_minor", sa.Numeric(38, 0), nullable=False),
        sa.Column("balance_after_minor", sa.Numeric(38, 0), nullable=False),
        sa.CheckConstraint("side IN ('debit', 'credit')", name=op.f("ck_ledger_entries_side_known")),
        sa.PrimaryKeyConstraint("account_id", "sequence", name=op.f("pk_ledger_entries")),
    )


def _refuse_changes() -> None:
    """A mistake is undone by a new row; not even the owner of the tables may rewrite history."""
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
        BEGIN
            RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END
        $$
        """
    )
    op.execute("REVOKE ALL ON FUNCTION refuse_change() FROM PUBLIC")
    for table in INSERT_ONLY:
        op.execute(
            f"CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _grant() -> None:
    op.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    op.execute("GRANT USAGE ON SCHEMA public TO hazina_tenant")
    for table in CHANGEABLE:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO hazina_tenant")
    for table in NEVER_DELETED:
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO hazina_tenant")
    for table in INSERT_ONLY:
        op.execute(f"GRANT SELECT, INSERT ON {table} TO hazina_tenant")
    op.execute("GRANT SELECT ON identity, alembic_version TO hazina_tenant")
