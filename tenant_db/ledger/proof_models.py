"""Rows of the proof: sealed blocks, and how their verifications went."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tenancy.columns import Keyed, TenantModel
from tenant_db.ledger.digests import PART_BYTES, Header


class Block(TenantModel):
    """Transfers that are sealed, chained to the block before. Nobody may change or delete one."""

    __tablename__ = "ledger_blocks"
    __table_args__ = (
        CheckConstraint("to_transaction_id > from_transaction_id", name="bounds_rise"),
        CheckConstraint(
            f"transfer_count > 0 AND octet_length(contents) = {PART_BYTES} * transfer_count",
            name="contents_counted",
        ),
    )

    height: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """1 for the first, without a gap."""
    from_transaction_id: Mapped[int] = mapped_column(BigInteger)
    to_transaction_id: Mapped[int] = mapped_column(BigInteger)
    """Where the next block begins: this one ends before it."""
    transfer_count: Mapped[int]
    total_count: Mapped[int] = mapped_column(BigInteger)
    """Transfers in this block and all before it."""
    previous_hash: Mapped[bytes]
    hash: Mapped[bytes]
    sealed_at: Mapped[datetime]
    contents: Mapped[bytes] = mapped_column(deferred=True)
    """For each transfer, in the order of transaction id and id, its id and its digest."""

    def header(self, tenant_id: UUID) -> Header:
        """What its hash covers besides its contents."""
        return Header(
            tenant_id,
            self.height,
            self.from_transaction_id,
            self.to_transaction_id,
            self.transfer_count,
            self.total_count,
            self.sealed_at,
            self.previous_hash,
        )


class LedgerVerification(Keyed, TenantModel):
    """One run over the whole ledger, asked for by somebody; `running → sound | broken`."""

    __tablename__ = "ledger_verifications"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'sound', 'broken')", name="state_known"),
        CheckConstraint("(state = 'broken') = (broken IS NOT NULL)", name="broken_said"),
        # It reads the whole ledger: one at a time is enough of a load.
        Index(
            "uq_ledger_verifications_running",
            "state",
            unique=True,
            postgresql_where=text("state = 'running'"),
        ),
    )

    state: Mapped[str] = mapped_column(default="running")
    kept_head: Mapped[str] = mapped_column(default="")
    """The signed head that somebody kept and wants to find in the chain, if any."""
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Where the next part of the run begins: `verifying.Progress`."""
    broken: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The first broken row: `verifying.Broken`."""
    finished_at: Mapped[datetime | None]
