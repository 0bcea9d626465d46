"""Who did what in a business."""

from sqlalchemy import select

from core.pages import Page, PageRequest
from resolvers.pages import page_of
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.audit.models import TenantAudit


async def audit_log(context: TenantContext, request: PageRequest) -> Page[TenantAudit]:
    """Needs audit:read."""
    context.require(Scope.AUDIT_READ)
    async with context.tenant.reading() as session:
        return await page_of(session, select(TenantAudit), TenantAudit, request)
