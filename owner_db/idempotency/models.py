"""A key used on the owner database."""

from tenancy.columns import IdempotencyColumns, OwnerModel


class OwnerIdempotency(IdempotencyColumns, OwnerModel):
    """A key used on the owner database."""
