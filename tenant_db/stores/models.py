"""Rows about points of sale."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from tenancy.columns import Keyed, TenantModel


class Store(Keyed, TenantModel):
    """A shop, branch or practice."""

    __tablename__ = "stores"
    __table_args__ = (Index("ix_stores_page", "created_at", "id"),)

    name: Mapped[str]
    code: Mapped[str] = mapped_column(unique=True)
    """Short, chosen by the tenant, such as `main`."""
    time_zone: Mapped[str]
    """IANA name: where the store's day begins."""
    closed_at: Mapped[datetime | None]
