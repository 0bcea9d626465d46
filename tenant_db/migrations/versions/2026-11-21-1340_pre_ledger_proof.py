"""Sealed blocks of the ledger."""

from alembic import op

revision = "20261121_1340"
down_revision = "20261121_1048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
