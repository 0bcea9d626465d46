"""Signed heads of tenants' ledgers."""

import sqlalchemy as sa
from alembic import op

revision = "20261121_1343"
down_revision = "20261121_1047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "ledger_heads",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("height", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("transfers", sa.BigInteger(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_ledger_heads_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "height", name=op.f("pk_ledger_heads")),
    )
    op.execute("GRANT SELECT, INSERT ON ledger_heads TO hazina_owner")
