"""The first providers and tiers."""

from alembic import op

from owner_db.catalog.seeding import load_release

revision = "20261121_1047"
down_revision = "20261121_1045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    load_release(op.get_bind(), "2026-11-21")
