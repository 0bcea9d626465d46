"""Rows about providers' statements: files, their lines, and what was matched to what."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.currency import Currency
from core.money import Money
from tenancy.columns import Keyed, MinorUnits, TenantModel, one_of
from tenant_db.statements.pairing import Rule
from tenant_db.statements.rules import ImportState, LineKind, StatementProvider


class StatementImport(Keyed, TenantModel):
    """One file, and how far its import is."""

    __tablename__ = "statement_imports"
    __table_args__ = (
        one_of("provider", StatementProvider),
        one_of("state", ImportState),
        CheckConstraint("num_nonnulls(channel_id, provider_account_id) = 1", name="one_place"),
        Index("ix_statement_imports_page", "created_at", "id"),
    )

    provider: Mapped[str]
    channel_id: Mapped[UUID | None] = mapped_column(ForeignKey("channels.id"), index=True)
    provider_account_id: Mapped[UUID | None] = mapped_column(ForeignKey("provider_accounts.id"), index=True)
    holding: Mapped[str]
    """The TypeID of the one or the other: the place in the books."""
    file_name: Mapped[str]
    digest: Mapped[bytes]
    """SHA-256 of the file."""
    content: Mapped[bytes | None]
    """The file, zlib-compressed, until its job has read it."""
    state: Mapped[str] = mapped_column(default=ImportState.WAITING.value)
    tolerance_minor: Mapped[int] = mapped_column(MinorUnits, default=0)
    tolerance_days: Mapped[int] = mapped_column(default=0)
    row_count: Mapped[int] = mapped_column(default=0)
    done_count: Mapped[int] = mapped_column(default=0)
    """Rows read and stored so far: the progress."""
    imported_count: Mapped[int] = mapped_column(default=0)
    duplicate_count: Mapped[int] = mapped_column(default=0)
    """Lines that an earlier file had brought."""
    error_count: Mapped[int] = mapped_column(default=0)
    matched_count: Mapped[int] = mapped_column(default=0)
    """Lines matched when it was imported."""
    errors: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """`{"rows": [[row, column, message], …]}`, the first of them."""
    finished_at: Mapped[datetime | None]


class StatementMatch(Keyed, TenantModel):
    """Lines and transfers that are the same money. Undone, it stays as history."""

    __tablename__ = "statement_matches"
    __table_args__ = (one_of("rule", Rule),)

    rule: Mapped[str]
    difference_minor: Mapped[int] = mapped_column(MinorUnits)
    """The lines' sum less the transfers', in minor units."""
    currency: Mapped[Currency]
    matched_by: Mapped[str]
    """`system`, or `{kind}:{id}` of the actor."""
    note: Mapped[str | None]
    items: Mapped[dict[str, Any]]
    """`{"lines": [ids], "transfers": [ids]}`, kept when it is undone."""
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]
    undone_note: Mapped[str | None]


class StatementLine(Keyed, TenantModel):
    """One row of a statement, as the provider wrote it. Only its match ever changes."""

    __tablename__ = "statement_lines"
    __table_args__ = (
        one_of("kind", LineKind),
        UniqueConstraint("holding", "external_id"),
        Index("ix_statement_lines_page", "created_at", "id"),
        Index("ix_statement_lines_import_page", "import_id", "created_at", "id"),
        Index(
            "ix_statement_lines_unmatched",
            "holding",
            "created_at",
            "id",
            postgresql_where=text("match_id IS NULL"),
        ),
    )

    import_id: Mapped[UUID] = mapped_column(ForeignKey("statement_imports.id"))
    holding: Mapped[str]
    row_number: Mapped[int]
    """In its file, the header being row 1 of the table."""
    external_id: Mapped[str]
    """What the provider calls the line; M-Pesa gives one receipt to a payment and to its charge."""
    kind: Mapped[str]
    reference: Mapped[str]
    """What the books may know it by: M-Pesa's receipt, Stripe's source."""
    amount_minor: Mapped[int] = mapped_column(MinorUnits)
    """Signed: what came in is positive."""
    fee_minor: Mapped[int] = mapped_column(MinorUnits)
    """What the provider kept of it, where the line itself says so; never negative for a cost."""
    currency: Mapped[Currency]
    occurred_at: Mapped[datetime]
    description: Mapped[str]
    counterparty: Mapped[str]
    digest: Mapped[bytes]
    """SHA-256 of the raw row."""
    match_id: Mapped[UUID | None] = mapped_column(ForeignKey("statement_matches.id"), index=True)

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class MatchedTransfer(TenantModel):
    """A transfer that a statement has confirmed: of one match at a time."""

    __tablename__ = "statement_matched_transfers"

    transfer_id: Mapped[UUID] = mapped_column(primary_key=True)
    match_id: Mapped[UUID] = mapped_column(ForeignKey("statement_matches.id"), index=True)
