"""The life of M-Pesa channels: mapping, validation, health, requests that are answered later."""

from alembic import op

revision = "20261121_1642"
down_revision = "20261121_1641"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _channels()
    _channel_accounts()
    _provider_requests()


def _channels() -> None:
    op.execute(
        """
        ALTER TABLE channels
            ADD initiator_name TEXT,
            ADD is_primary BOOLEAN DEFAULT false NOT NULL,
            ADD activates_itself BOOLEAN DEFAULT false NOT NULL,
            ADD refuses_unknown_accounts BOOLEAN DEFAULT false NOT NULL,
            ADD least_minor NUMERIC(38, 0),
            ADD most_minor NUMERIC(38, 0),
            ADD suspended_why TEXT,
            ADD balance_minor NUMERIC(38, 0),
            ADD balance_at TIMESTAMP WITH TIME ZONE,
            ADD urls_state TEXT DEFAULT 'none' NOT NULL,
            ADD urls_digest BYTEA,
            ADD urls_note TEXT,
            ADD urls_at TIMESTAMP WITH TIME ZONE,
            ADD pull_phone TEXT,
            DROP CONSTRAINT ck_channels_kind_known,
            DROP CONSTRAINT ck_channels_status_known,
            ADD CONSTRAINT ck_channels_kind_known CHECK (kind IN ('paybill', 'till', 'buygoods')),
            ADD CONSTRAINT ck_channels_status_known CHECK (status IN (
                'draft', 'configured', 'verifying', 'verified', 'refused', 'active', 'suspended',
                'inactive')),
            ADD CONSTRAINT ck_channels_urls_state_known CHECK (urls_state IN (
                'none', 'requested', 'registered', 'elsewhere', 'refused')),
            ADD CONSTRAINT ck_channels_limits_ordered CHECK (
                least_minor > 0 AND (least_minor IS NULL OR most_minor IS NULL OR least_minor <= most_minor))
        """
    )
    op.execute("CREATE UNIQUE INDEX uq_channels_primary ON channels (store_id) WHERE is_primary")


def _channel_accounts() -> None:
    op.execute(
        """
        CREATE TABLE channel_accounts (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            channel_id UUID NOT NULL,
            match TEXT NOT NULL,
            pattern TEXT NOT NULL,
            store_id UUID NOT NULL,
            label TEXT,
            CONSTRAINT pk_channel_accounts PRIMARY KEY (id),
            CONSTRAINT uq_channel_accounts_channel_id_match_pattern UNIQUE (channel_id, match, pattern),
            CONSTRAINT ck_channel_accounts_match_known CHECK (match IN ('exact', 'prefix', 'default')),
            CONSTRAINT fk_channel_accounts_channel_id FOREIGN KEY(channel_id) REFERENCES channels (id),
            CONSTRAINT fk_channel_accounts_store_id FOREIGN KEY(store_id) REFERENCES stores (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_channel_accounts_store_id ON channel_accounts (store_id)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON channel_accounts TO hazina_tenant")


def _provider_requests() -> None:
    op.execute(
        """
        CREATE TABLE provider_requests (
            id UUID NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            kind TEXT NOT NULL,
            channel_id UUID NOT NULL,
            subject_id UUID NOT NULL,
            item_hash BYTEA NOT NULL,
            state TEXT NOT NULL,
            conversation_id TEXT,
            originator_conversation_id TEXT,
            details JSONB NOT NULL,
            code TEXT,
            message TEXT,
            deadline_at TIMESTAMP WITH TIME ZONE NOT NULL,
            answered_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_provider_requests PRIMARY KEY (id),
            CONSTRAINT uq_provider_requests_item_hash UNIQUE (item_hash),
            CONSTRAINT ck_provider_requests_kind_known CHECK (kind IN (
                'verification', 'balance', 'receipt', 'refund')),
            CONSTRAINT ck_provider_requests_state_known CHECK (state IN (
                'sending', 'waiting', 'answered', 'timed_out', 'refused')),
            CONSTRAINT fk_provider_requests_channel_id FOREIGN KEY(channel_id) REFERENCES channels (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_provider_requests_channel ON provider_requests (channel_id, created_at)")
    op.execute("GRANT SELECT, INSERT, UPDATE ON provider_requests TO hazina_tenant")
