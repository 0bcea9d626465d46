"""Rows about payers."""

from sqlalchemy.orm import Mapped, mapped_column

from tenancy.columns import Keyed, TenantModel


class Customer(Keyed, TenantModel):
    """Someone who pays this tenant, known by phone."""

    __tablename__ = "customers"

    phone: Mapped[str] = mapped_column(unique=True)
    """E.164."""
    name: Mapped[str | None]
    email: Mapped[str | None]
