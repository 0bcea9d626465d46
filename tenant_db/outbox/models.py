"""A job of this tenant."""

from tenancy.columns import OutboxColumns, TenantModel


class TenantOutbox(OutboxColumns, TenantModel):
    """A job of this tenant."""
