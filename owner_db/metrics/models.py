"""Rows of figures."""

from datetime import date
from uuid import UUID

from sqlalchemy import Date, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from core.currency import Currency
from tenancy.columns import MinorUnits, OwnerModel


class PaymentFigure(OwnerModel):
    """One tenant's payments by one provider in one currency, of those started on one day (UTC)."""

    __tablename__ = "payment_figures"
    __table_args__ = (Index("ix_payment_figures_day", "day"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[Currency] = mapped_column(primary_key=True)
    started: Mapped[int]
    succeeded: Mapped[int]
    failed: Mapped[int]
    expired: Mapped[int]
    cancelled: Mapped[int]
    volume_minor: Mapped[int] = mapped_column(MinorUnits)


class CallFigure(OwnerModel):
    """One tenant's calls to one provider on one day (UTC)."""

    __tablename__ = "call_figures"
    __table_args__ = (Index("ix_call_figures_day", "day"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]
    errors: Mapped[int]
