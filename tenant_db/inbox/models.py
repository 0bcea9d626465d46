"""A provider's message, raw."""

from tenancy.columns import InboxColumns, TenantModel


class TenantInbox(InboxColumns, TenantModel):
    """A provider's message, raw."""
