"""The row that says whose database this is."""

from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenancy.columns import TenantModel


class Identity(TenantModel):
    """The one row that every new connection checks against the tenant it was opened for."""

    __tablename__ = "identity"
    __table_args__ = (CheckConstraint("is_only", name="one_row"),)

    is_only: Mapped[bool] = mapped_column(primary_key=True, default=True)
    tenant_id: Mapped[UUID]
