"""The life of M-Pesa channels: mapping, validation, health, requests that are answered later."""

from alembic import op

revision = "20261121_1642"
down_revision = "20261121_1641"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
