"""Rows about checks of the books, and what they found."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.currency import Currency
from core.money import Money
from tenancy.columns import Keyed, MinorUnits, TenantModel, one_of
from tenant_db.reconciliation.rules import AskedBy, FindingKind, FindingState


class Reconciliation(Keyed, TenantModel):
    """One check of one scope: a store, or what all stores share."""

    __tablename__ = "reconciliations"
    __table_args__ = (
        one_of("asked_by", AskedBy),
        # A night asks for each scope once, however many workers wake up for it.
        Index("uq_reconciliations_night", "scope", "night", unique=True),
        Index("ix_reconciliations_finished", "scope", "finished_at"),
    )

    scope: Mapped[str]
    """`store:{id}`, or `shared`."""
    store_id: Mapped[UUID | None] = mapped_column(ForeignKey("stores.id"))
    """None: holdings, suspense, fees, and the sums over everything."""
    asked_by: Mapped[str]
    night: Mapped[date | None]
    """Of which night it is, if the night asked for it."""
    finished_at: Mapped[datetime | None]
    """None: it waits for its job, or was given up."""
    account_count: Mapped[int] = mapped_column(default=0)
    entry_count: Mapped[int] = mapped_column(BigInteger, default=0)
    payment_count: Mapped[int] = mapped_column(BigInteger, default=0)
    finding_count: Mapped[int] = mapped_column(default=0)
    """How many discrepancies it saw, those that people have resolved left out."""
    is_cut_off: Mapped[bool] = mapped_column(default=False)
    """There were more of a kind than one run writes down."""


class Finding(Keyed, TenantModel):
    """One discrepancy. The same one seen again is the same row; one that is gone is marked so."""

    __tablename__ = "findings"
    __table_args__ = (
        one_of("kind", FindingKind),
        one_of("state", FindingState),
        CheckConstraint("(state = 'resolved') = (resolved_at IS NOT NULL)", name="resolution_whole"),
        Index("ix_findings_page", "created_at", "id"),
        Index("ix_findings_store_page", "store_id", "created_at", "id"),
        Index("ix_findings_open", "scope", postgresql_where=text("state = 'open'")),
    )

    fingerprint: Mapped[str] = mapped_column(unique=True)
    """What makes it the same discrepancy: scope, kind, subject, currency and difference."""
    scope: Mapped[str]
    reconciliation_id: Mapped[UUID] = mapped_column(ForeignKey("reconciliations.id"), index=True)
    """Who saw it last."""
    seen_at: Mapped[datetime]
    kind: Mapped[str]
    store_id: Mapped[UUID | None] = mapped_column(ForeignKey("stores.id"))
    subject: Mapped[str]
    """What it is about, in words or as an id: an account's code, a payment's TypeID."""
    account_ids: Mapped[list[str]]
    """The ledger accounts it is about, as clients see them."""
    transfer_id: Mapped[UUID | None]
    payment_id: Mapped[UUID | None]
    currency: Mapped[Currency | None]
    """None where it is about no amount."""
    expected_minor: Mapped[int | None] = mapped_column(MinorUnits)
    found_minor: Mapped[int | None] = mapped_column(MinorUnits)
    cause: Mapped[str]
    """What probably happened, for the business's finance person."""
    state: Mapped[str] = mapped_column(default=FindingState.OPEN.value)
    vanished_at: Mapped[datetime | None]
    """Since when it is no longer seen; None again if it comes back."""
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    """`{kind}:{id}` of the actor."""
    note: Mapped[str | None]
    """What was done about it."""
    adjustment_id: Mapped[UUID | None]
    """The transfer that corrected it."""

    @property
    def expected(self) -> Money | None:
        return self._money(self.expected_minor)

    @property
    def found(self) -> Money | None:
        return self._money(self.found_minor)

    @property
    def difference(self) -> Money | None:
        """Found less expected."""
        expected, found = self.expected, self.found
        return None if expected is None or found is None else found - expected

    def _money(self, minor: int | None) -> Money | None:
        return None if minor is None or self.currency is None else Money(minor, self.currency)
