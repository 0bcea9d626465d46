"""Webhooks to tenants: endpoints and deliveries."""

from alembic import op

revision = "20261121_1645"
down_revision = "20261121_1644"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
