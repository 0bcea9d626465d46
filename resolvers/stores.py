"""Points of sale."""

from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from core.pages import Page, PageRequest
from resolvers.pages import page_of
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.stores import creating
from tenant_db.stores.creating import NewStore
from tenant_db.stores.models import Store


async def stores(context: TenantContext, request: PageRequest) -> Page[Store]:
    """Needs stores:read."""
    context.require(Scope.STORES_READ)
    async with context.tenant.reading() as session:
        return await page_of(session, select(Store), Store, request)


async def store(context: TenantContext, id: UUID) -> Store | None:
    """Needs stores:read. None: this business has no such store."""
    context.require(Scope.STORES_READ)
    async with context.tenant.reading() as session:
        return await session.get(Store, id)


async def store_exists(context: TenantContext, id: UUID) -> bool:
    """Whether this business has the store: for whoever may see its payments."""
    return bool(await context.tenant.rows("SELECT 1 FROM stores WHERE id = $1", id))


async def create_store(context: TenantContext, new: NewStore) -> Store:
    """Open a store. Needs stores:write.

    Raises:
        StoreCodeTaken: another store has the code.
    """
    context.require(Scope.STORES_WRITE)
    async with context.tenant.transaction() as session:
        created = await creating.create_store(session, new, context.services.clock())
        record_audit(
            session,
            acting(context),
            "create_store",
            subject=outside(Kind.STORE, created.id),
            details={"code": created.code},
        )
    return created
