"""Sealed blocks of the ledger, and how their verifications went."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261121_1340"
down_revision = "20261121_1048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _ledger_blocks()
    _ledger_verifications()
    op.execute("GRANT SELECT, INSERT ON ledger_blocks TO hazina_tenant")
    op.execute("GRANT SELECT, INSERT, UPDATE ON ledger_verifications TO hazina_tenant")


def _ledger_blocks() -> None:
    op.create_table(
        "ledger_blocks",
        sa.Column("height", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("from_transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("to_transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("transfer_count", sa.Integer(), nullable=False),
        sa.Column("total_count", sa.BigInteger(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("contents", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "to_transaction_id > from_transaction_id", name=op.f("ck_ledger_blocks_bounds_rise")
        ),
        sa.CheckConstraint(
            "transfer_count > 0 AND octet_length(contents) = 48 * transfer_count",
            name=op.f("ck_ledger_blocks_contents_counted"),
        ),
        sa.PrimaryKeyConstraint("height", name=op.f("pk_ledger_blocks")),
    )
    # Ids and digests look like noise: an attempt to compress them costs time and saves nothing.
    op.execute("ALTER TABLE ledger_blocks ALTER contents SET STORAGE EXTERNAL")
    op.execute(
        "CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_blocks"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _ledger_verifications() -> None:
    op.create_table(
        "ledger_verifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("kept_head", sa.Text(), nullable=False),
        sa.Column("progress", JSONB(), nullable=False),
        sa.Column("broken", JSONB(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('running', 'sound', 'broken')", name=op.f("ck_ledger_verifications_state_known")
        ),
        sa.CheckConstraint(
            "(state = 'broken') = (broken IS NOT NULL)", name=op.f("ck_ledger_verifications_broken_said")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_verifications")),
    )
    op.create_index(
        "uq_ledger_verifications_running",
        "ledger_verifications",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
    )
