"""The catalog as staff manage it."""

from alembic import op

revision = "20261121_1640"
down_revision = "20261121_1344"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
