"""A row of the tenant's audit log."""

from tenancy.columns import AuditColumns, TenantModel


class TenantAudit(AuditColumns, TenantModel):
    """A row of the tenant's audit log."""
