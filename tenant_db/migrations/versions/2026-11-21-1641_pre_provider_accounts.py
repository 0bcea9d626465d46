"""Provider accounts as tenants manage them, and routing."""

from alembic import op

revision = "20261121_1641"
down_revision = "20261121_1640"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
