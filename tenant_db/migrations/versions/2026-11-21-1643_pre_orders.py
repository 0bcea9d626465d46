"""Orders and their items."""

from alembic import op

revision = "20261121_1643"
down_revision = "20261121_1642"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _orders()
    _items()
    _grant()


def _orders() -> None:
    op.execute(
        """
        CREATE TABLE orders (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            store_id UUID NOT NULL,
            reference TEXT NOT NULL,
            description TEXT NOT NULL,
            currency TEXT NOT NULL,
            total_minor NUMERIC(38, 0) NOT NULL,
            paid_minor NUMERIC(38, 0) NOT NULL,
            refunded_minor NUMERIC(38, 0) NOT NULL,
            customer_name TEXT,
            customer_phone TEXT,
            customer_email TEXT,
            status TEXT NOT NULL,
            version INTEGER NOT NULL,
            link_key BYTEA NOT NULL,
            expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
            paid_at TIMESTAMP WITH TIME ZONE,
            ended_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_orders PRIMARY KEY (id),
            CONSTRAINT ck_orders_status_known CHECK (status IN ('open', 'paid', 'cancelled', 'expired')),
            CONSTRAINT ck_orders_total_positive CHECK (total_minor > 0),
            CONSTRAINT ck_orders_sums_not_negative CHECK (paid_minor >= 0 AND refunded_minor >= 0),
            CONSTRAINT ck_orders_paid_in_full CHECK (status <> 'paid' OR paid_minor >= total_minor),
            CONSTRAINT uq_orders_reference UNIQUE (reference),
            CONSTRAINT fk_orders_store_id FOREIGN KEY(store_id) REFERENCES stores (id)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX uq_orders_typed ON orders (upper(reference))")
    op.execute("CREATE INDEX ix_orders_page ON orders (created_at, id)")
    op.execute("CREATE INDEX ix_orders_store_page ON orders (store_id, created_at, id)")


def _items() -> None:
    op.execute(
        """
        CREATE TABLE order_items (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            order_id UUID NOT NULL,
            position INTEGER NOT NULL,
            name TEXT NOT NULL,
            quantity INTEGER NOT NULL,
            unit_price_minor NUMERIC(38, 0) NOT NULL,
            total_minor NUMERIC(38, 0) NOT NULL,
            CONSTRAINT pk_order_items PRIMARY KEY (id),
            CONSTRAINT uq_order_items_order_id_position UNIQUE (order_id, position),
            CONSTRAINT ck_order_items_line_sensible CHECK (quantity > 0 AND unit_price_minor >= 0),
            CONSTRAINT ck_order_items_line_adds_up CHECK (total_minor = quantity * unit_price_minor),
            CONSTRAINT fk_order_items_order_id FOREIGN KEY(order_id) REFERENCES orders (id)
        )
        """
    )


def _grant() -> None:
    op.execute("GRANT SELECT, INSERT, UPDATE ON orders TO hazina_tenant")
    # What was ordered is never rewritten.
    op.execute("GRANT SELECT, INSERT ON order_items TO hazina_tenant")
    op.execute(
        "CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON order_items"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
