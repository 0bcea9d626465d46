"""A key used in this tenant."""

from tenancy.columns import IdempotencyColumns, TenantModel


class TenantIdempotency(IdempotencyColumns, TenantModel):
    """A key used in this tenant."""
