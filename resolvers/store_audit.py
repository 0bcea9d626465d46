"""The platform's look at one store of one business, and a check of its books on staff's request."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from core.errors import NotFound
from core.ids import Kind, new_id, outside
from core.tenant import TenantStatus
from resolvers.idempotency import once, run_once
from resolvers.reasons import required_reason
from resolvers.reconciliation import Reconciled, reconciled
from tenancy.audit import acting, record_audit
from tenancy.context import OwnerContext
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.reconciliation import reconciling
from tenant_db.reconciliation.models import Reconciliation
from tenant_db.reconciliation.reconciling import NewReconciliation, plan
from tenant_db.reconciliation.rules import AskedBy
from tenant_db.reconciliation.standing import Standing, store_standing


@dataclass(frozen=True, slots=True)
class AuditedStore:
    """How a store stands, and how its business does."""

    tenant_id: UUID
    tenant_status: TenantStatus
    standing: Standing


async def store_audit(context: OwnerContext, tenant_id: UUID, store_id: UUID) -> AuditedStore | None:
    """Look at a store; the look stands in the platform's audit log. Needs platform:read.

    Suspended and closing businesses are looked at, too. None: the business has no such store.

    Raises:
        TenantNotServed: the business can't be reached.
    """
    context.require(Scope.PLATFORM_READ)
    tenant = await context.services.tenants.settling(tenant_id)
    await _record_look(context, tenant_id, store_id)
    async with tenant.reading() as session:
        try:
            standing = await store_standing(session, store_id, context.services.clock())
        except NotFound:
            return None
    return AuditedStore(tenant_id, tenant.ref.status, standing)


async def reconcile_tenant_store(
    context: OwnerContext, tenant_id: UUID, store_id: UUID, reason: str, idempotency_key: str
) -> Reconciled:
    """Check the books of a business's store. Needs platform:money.

    It stands in both audit logs: the platform's and the business's own.

    Raises:
        InvalidInput: no reason was given.
        NotFound: the business has no such store.
        TenantNotServed: the business can't be reached.
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
    """
    context.require(Scope.PLATFORM_MONEY)
    said = required_reason(reason)
    tenant = await context.services.tenants.settling(tenant_id)
    id_ = new_id()

    async def effect(session: TenantSession) -> Reconciled:
        wanted = plan(NewReconciliation(store_id, AskedBy.STAFF), id_)
        row = await reconciling.reconcile(session, wanted, context.services.clock())
        subject = outside(Kind.STORE, store_id)
        details = {"findings": row.finding_count, "tenant": outside(Kind.TENANT, tenant_id)}
        record_audit(session, acting(context), "reconcile_tenant_store", subject=subject, reason=said)
        # Last, so that a refusal leaves nothing there. A crash in between leaves a look that saw nothing.
        async with context.owner.transaction() as own:
            record_audit(
                own, acting(context), "reconcile_tenant_store", subject=subject, reason=said, details=details
            )
        return await reconciled(session, row)

    wanted = once(
        context,
        "reconcile_tenant_store",
        idempotency_key,
        input={"store": str(store_id)},
        ids={"reconciliation": id_},
    )
    return await run_once(tenant.transaction, wanted, effect, _reload)


async def _record_look(context: OwnerContext, tenant_id: UUID, store_id: UUID) -> None:
    async with context.owner.transaction() as session:
        record_audit(
            session,
            acting(context),
            "store_audit",
            subject=outside(Kind.STORE, store_id),
            details={"tenant": outside(Kind.TENANT, tenant_id)},
        )


async def _reload(session: TenantSession, ids: Mapping[str, UUID]) -> Reconciled:
    return await reconciled(session, await session.get_one(Reconciliation, ids["reconciliation"]))
