"""Parts of files are stored as they are: compressing a megabyte of CSV costs more than its place is worth."""

from alembic import op

revision = "20261121_1343"
down_revision = "20261121_1342"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE export_parts ALTER COLUMN content SET STORAGE EXTERNAL")
