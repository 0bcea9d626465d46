"""Files that jobs make for people."""

from alembic import op

revision = "20261121_1342"
down_revision = "20261121_1341"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
