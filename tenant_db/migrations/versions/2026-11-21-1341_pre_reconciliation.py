"""Findings, and what providers' statements say."""

from alembic import op

revision = "20261121_1341"
down_revision = "20261121_1340"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
