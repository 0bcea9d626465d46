"""A row of the platform's audit log."""

from tenancy.columns import AuditColumns, OwnerModel


class OwnerAudit(AuditColumns, OwnerModel):
    """A row of the platform's audit log."""
