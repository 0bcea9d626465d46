"""A head that was signed is never changed or deleted: not even by the owner of the tables."""

from alembic import op

revision = "20261121_1344"
down_revision = "20261121_1343"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_heads"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
