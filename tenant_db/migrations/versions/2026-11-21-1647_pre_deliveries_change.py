"""Deliveries change soon after they are written, so the index of those that wait is vacuumed often."""

from alembic import op

revision = "20261121_1647"
down_revision = "20261121_1646"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE webhook_deliveries SET (autovacuum_vacuum_scale_factor = 0.02)")
