"""Pay links."""

from alembic import op

revision = "20261121_1643"
down_revision = "20261121_1642"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
