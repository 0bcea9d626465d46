"""Rows of exports."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from tenancy.columns import Keyed, TenantModel, one_of
from tenant_db.exports.machine import ExportStatus
from tenant_db.exports.rules import ExportFormat, ExportKind


class Export(Keyed, TenantModel):
    """One file that somebody asked for: what it shall tell, and how far it is."""

    __tablename__ = "exports"
    __table_args__ = (
        one_of("kind", ExportKind),
        one_of("format", ExportFormat),
        one_of("status", ExportStatus),
        CheckConstraint("since < before", name="period_not_empty"),
        CheckConstraint("num_nonnulls(account_id, store_id) <= 1", name="one_subject"),
        Index("ix_exports_page", "created_at", "id"),
        Index("ix_exports_open", "created_at", postgresql_where=text("status IN ('queued', 'running')")),
        Index("ix_exports_expires", "expires_at", postgresql_where=text("status = 'ready'")),
    )

    kind: Mapped[str]
    format: Mapped[str]
    status: Mapped[str]
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("ledger_accounts.id"), index=True)
    """Of which ledger account it tells; a split one's shards belong to it."""
    store_id: Mapped[UUID | None] = mapped_column(ForeignKey("stores.id"), index=True)
    """Of whose accounts it tells. With neither, all transfers."""
    since: Mapped[datetime]
    before: Mapped[datetime]
    """Recorded earlier than that."""
    time_zone: Mapped[str]
    """In which a PDF shows times."""
    file_name: Mapped[str]
    requested_by: Mapped[str]
    """`{kind}:{id}` of the caller."""
    row_total: Mapped[int] = mapped_column(BigInteger)
    """What was counted when it was asked for; some may have been added since."""
    row_count: Mapped[int] = mapped_column(BigInteger, default=0)
    """How many are in the parts that are stored."""
    part_count: Mapped[int] = mapped_column(default=0)
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    place: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Where the next run goes on; empty before the first part and after the last."""
    version: Mapped[int] = mapped_column(default=1)
    """Grows with everything that people may see change."""
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    """Of a ready one: when the file goes."""
    failure: Mapped[str | None]
    """Of a failed one: the code of why."""


class ExportPart(TenantModel):
    """A piece of a file. Servers and workers share no disk, so it lies with the business's other data."""

    __tablename__ = "export_parts"

    export_id: Mapped[UUID] = mapped_column(ForeignKey("exports.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 1, without a gap."""
    content: Mapped[bytes]
