"""Webhooks to tenants: endpoints and deliveries."""

from alembic import op

revision = "20261121_1645"
down_revision = "20261121_1644"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _endpoints()
    _deliveries()
    _attempts()


def _endpoints() -> None:
    op.execute(
        """
        CREATE TABLE webhook_endpoints (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            url TEXT NOT NULL,
            description TEXT NOT NULL,
            events JSONB NOT NULL,
            is_enabled BOOLEAN NOT NULL,
            disabled_reason TEXT,
            disabled_at TIMESTAMP WITH TIME ZONE,
            secret TEXT NOT NULL,
            previous_secret TEXT,
            previous_until TIMESTAMP WITH TIME ZONE,
            failing_since TIMESTAMP WITH TIME ZONE,
            last_success_at TIMESTAMP WITH TIME ZONE,
            leased_until TIMESTAMP WITH TIME ZONE,
            deleted_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_webhook_endpoints PRIMARY KEY (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_webhook_endpoints_page ON webhook_endpoints (created_at, id)")
    op.execute("GRANT SELECT, INSERT, UPDATE ON webhook_endpoints TO hazina_tenant")


def _deliveries() -> None:
    op.execute(
        """
        CREATE TABLE webhook_deliveries (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            endpoint_id UUID NOT NULL,
            event TEXT NOT NULL,
            event_key TEXT NOT NULL,
            subject TEXT NOT NULL,
            payload JSONB NOT NULL,
            state TEXT NOT NULL,
            tries INTEGER NOT NULL,
            next_try_at TIMESTAMP WITH TIME ZONE,
            first_failed_at TIMESTAMP WITH TIME ZONE,
            delivered_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_webhook_deliveries PRIMARY KEY (id),
            CONSTRAINT ck_webhook_deliveries_state_known CHECK (state IN ('pending', 'delivered', 'failed')),
            CONSTRAINT uq_webhook_deliveries_endpoint_id_event_key UNIQUE (endpoint_id, event_key),
            CONSTRAINT fk_webhook_deliveries_endpoint_id FOREIGN KEY(endpoint_id)
                REFERENCES webhook_endpoints (id)
        )
        """
    )
    op.execute(
        "CREATE INDEX ix_webhook_deliveries_pending ON webhook_deliveries (endpoint_id, id)"
        " WHERE state = 'pending'"
    )
    op.execute("CREATE INDEX ix_webhook_deliveries_page ON webhook_deliveries (endpoint_id, created_at, id)")
    op.execute("GRANT SELECT, INSERT, UPDATE ON webhook_deliveries TO hazina_tenant")


def _attempts() -> None:
    op.execute(
        """
        CREATE TABLE webhook_attempts (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            delivery_id UUID NOT NULL,
            status INTEGER,
            response TEXT,
            error TEXT,
            duration_ms INTEGER NOT NULL,
            CONSTRAINT pk_webhook_attempts PRIMARY KEY (id),
            CONSTRAINT fk_webhook_attempts_delivery_id FOREIGN KEY(delivery_id)
                REFERENCES webhook_deliveries (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_webhook_attempts_delivery ON webhook_attempts (delivery_id, id)")
    op.execute("GRANT SELECT, INSERT ON webhook_attempts TO hazina_tenant")
    op.execute(
        "CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON webhook_attempts"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
