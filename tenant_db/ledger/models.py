"""Rows of the ledger."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.clock import utc_now
from core.currency import Currency
from tenancy.columns import Keyed, MinorUnits, TenantModel, one_of
from tenant_db.ledger.rules import Custody, NormalSide, TransferKind


class LedgerAccount(Keyed, TenantModel):
    """A balance in the books. Its counters only grow, except what is pending."""

    __tablename__ = "ledger_accounts"
    __table_args__ = (
        one_of("normal_side", NormalSide),
        one_of("custody", Custody),
        UniqueConstraint("code", "currency", "shard"),
        Index("ix_ledger_accounts_page", "created_at", "id"),
        CheckConstraint(
            "posted_debits_minor >= 0 AND posted_credits_minor >= 0"
            " AND pending_debits_minor >= 0 AND pending_credits_minor >= 0",
            name="counters_not_negative",
        ),
    )

    code: Mapped[str]
    """`holding:{channel}`, `store:{id}:available:{holding}`, `fees:provider`, `suspense`, …"""
    currency: Mapped[Currency]
    shard: Mapped[int] = mapped_column(default=0)
    """A system account that everyone touches is split; the sum over its shards is its balance."""
    normal_side: Mapped[str]
    custody: Mapped[str | None]
    """For holdings and their parts, who holds the money."""
    holding: Mapped[str | None] = mapped_column(index=True)
    """For holdings and their parts, the TypeID of the channel, provider account or wallet."""
    store_id: Mapped[UUID | None] = mapped_column(ForeignKey("stores.id"), index=True)
    floor_minor: Mapped[int | None] = mapped_column(MinorUnits)
    """What the available balance may not fall below; None is no limit."""
    ceiling_minor: Mapped[int | None] = mapped_column(MinorUnits)
    posted_debits_minor: Mapped[int] = mapped_column(MinorUnits, default=0)
    posted_credits_minor: Mapped[int] = mapped_column(MinorUnits, default=0)
    pending_debits_minor: Mapped[int] = mapped_column(MinorUnits, default=0)
    pending_credits_minor: Mapped[int] = mapped_column(MinorUnits, default=0)
    entry_count: Mapped[int] = mapped_column(BigInteger, default=0)
    """How many entries it has: the sequence of the last one."""
    closed_at: Mapped[datetime | None]


class Transfer(Keyed, TenantModel):
    """One immutable movement between two ledger accounts, undone only by a second that names it.

    The source is debited and the destination credited: a sale goes from `holding:…`, whose normal
    side is debit, to `store:…:available:…`, whose normal side is credit, and both balances grow.
    Whoever writes one holds both accounts' locks, which proves that they exist; foreign keys would
    look each of them up again, thousands of times a second.
    """

    __tablename__ = "ledger_transfers"
    __table_args__ = (
        one_of("kind", TransferKind),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("source_id <> destination_id", name="two_accounts"),
        UniqueConstraint("idempotency_key"),
        Index(
            "uq_ledger_transfers_reverses_id",
            "reverses_id",
            unique=True,
            postgresql_where=text("reverses_id IS NOT NULL"),
        ),
        Index("ix_ledger_transfers_page", "created_at", "id"),
        Index("ix_ledger_transfers_source", "source_id", "created_at"),
        Index("ix_ledger_transfers_destination", "destination_id", "created_at"),
        Index("ix_ledger_transfers_kind", "kind", "created_at"),
        Index("ix_ledger_transfers_reference", "reference", "created_at"),
        Index("ix_ledger_transfers_hold_id", "hold_id", postgresql_where=text("hold_id IS NOT NULL")),
        Index("ix_ledger_transfers_transaction_id", "transaction_id"),
    )

    source_id: Mapped[UUID]
    destination_id: Mapped[UUID]
    source_sequence: Mapped[int] = mapped_column(BigInteger)
    """With `source_id` it names the source's entry."""
    destination_sequence: Mapped[int] = mapped_column(BigInteger)
    amount_minor: Mapped[int] = mapped_column(MinorUnits)
    """In the smallest unit of `currency`: KES 12.50 is 1250."""
    currency: Mapped[Currency]
    kind: Mapped[str]
    reference: Mapped[str]
    """What it is about: a payment's TypeID, or the caller's own reference."""
    idempotency_key: Mapped[str]
    """`sale:{payment}`: one effect, one key."""
    effective_at: Mapped[datetime] = mapped_column(default=utc_now)
    """When it counts; `created_at` is when it was recorded, by the database's clock under the locks."""
    reverses_id: Mapped[UUID | None]
    hold_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    transaction_id: Mapped[int] = mapped_column(
        BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint")
    )
    """PostgreSQL's id of the writing transaction, so that sealing can wait for late commits."""


class Entry(TenantModel):
    """One account's side of a transfer, with the balance it left."""

    __tablename__ = "ledger_entries"
    __table_args__ = (one_of("side", NormalSide),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Gap-free per account row, from 1. `created_at` never falls as it grows."""
    created_at: Mapped[datetime]
    transfer_id: Mapped[UUID]
    side: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(MinorUnits)
    balance_before_minor: Mapped[int] = mapped_column(MinorUnits)
    """On the account's normal side."""
    balance_after_minor: Mapped[int] = mapped_column(MinorUnits)


class Hold(Keyed, TenantModel):
    """A pending transfer; resolved once, by being posted (in full or in part), voided or expired."""

    __tablename__ = "ledger_holds"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("posted_minor BETWEEN 0 AND amount_minor", name="posted_within"),
        CheckConstraint("state IN ('pending', 'posted', 'voided', 'expired')", name="state_known"),
        one_of("kind", TransferKind),
        UniqueConstraint("idempotency_key"),
        Index("ix_ledger_holds_page", "created_at", "id"),
        Index("ix_ledger_holds_state", "state", "created_at"),
        # Finds what was pending at a past instant, however many holds have come and gone since.
        Index("ix_ledger_holds_open", text("tstzrange(created_at, resolved_at)"), postgresql_using="gist"),
        Index("ix_ledger_holds_due", "expires_at", postgresql_where=text("state = 'pending'")),
    )

    source_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_accounts.id"), index=True)
    destination_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_accounts.id"), index=True)
    amount_minor: Mapped[int] = mapped_column(MinorUnits)
    currency: Mapped[Currency]
    kind: Mapped[str]
    """What the transfer is for that posts it."""
    reference: Mapped[str] = mapped_column(index=True)
    idempotency_key: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(default="pending")
    posted_minor: Mapped[int] = mapped_column(MinorUnits, default=0)
    expires_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
