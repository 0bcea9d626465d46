"""A job of the platform."""

from tenancy.columns import OutboxColumns, OwnerModel


class OwnerOutbox(OutboxColumns, OwnerModel):
    """A job of the platform."""
