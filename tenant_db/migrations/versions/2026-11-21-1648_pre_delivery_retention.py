"""Webhook deliveries that are a month old may be deleted, with their tries; no younger try ever is."""

from alembic import op

revision = "20261121_1648"
down_revision = "20261121_1647"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("GRANT DELETE ON webhook_deliveries, webhook_attempts TO hazina_tenant")
    op.execute("DROP TRIGGER never_changed ON webhook_attempts")
    op.execute(
        "CREATE TRIGGER never_changed BEFORE UPDATE OR TRUNCATE ON webhook_attempts"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    # A day less than they are kept, for the clocks of a worker and of the database differ.
    op.execute(
        "CREATE TRIGGER never_deleted_early BEFORE DELETE ON webhook_attempts FOR EACH ROW"
        " WHEN (OLD.created_at > now() - interval '29 days') EXECUTE FUNCTION refuse_change()"
    )
