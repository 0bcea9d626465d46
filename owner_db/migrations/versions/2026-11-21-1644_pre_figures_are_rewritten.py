"""Figures are rewritten every quarter of an hour: what they leave behind must go as often."""

from alembic import op

revision = "20261121_1644"
down_revision = "20261121_1642"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE payment_figures SET (autovacuum_vacuum_scale_factor = 0.05)")
    op.execute("ALTER TABLE call_figures SET (autovacuum_vacuum_scale_factor = 0.05)")
