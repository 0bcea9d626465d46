"""Open alerts are found first."""

from alembic import op

revision = "20261121_1644"
down_revision = "20261121_1643"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
