"""Rows about tiers."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenancy.columns import Keyed, OwnerModel


class Tier(Keyed, OwnerModel):
    """What a tenant may do, and how fast."""

    __tablename__ = "tiers"
    __table_args__ = (
        CheckConstraint("request_units_capacity > 0 AND request_units_per_s > 0", name="units_positive"),
    )

    code: Mapped[str] = mapped_column(unique=True)
    """`free`, `small_business`, `enterprise`."""
    name: Mapped[str]
    request_units_capacity: Mapped[int]
    """The size of a caller's token bucket, in units of GraphQL cost."""
    request_units_per_s: Mapped[int]
    """How fast the bucket fills."""
    sockets_max: Mapped[int]
