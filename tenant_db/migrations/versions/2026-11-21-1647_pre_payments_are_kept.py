"""Payments that wait for people are found without reading the others."""

from alembic import op

revision = "20261121_1647"
down_revision = "20261121_1646"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
