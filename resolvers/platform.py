"""What the platform's staff see and do."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from core.pages import Page, PageRequest
from core.tenant import TenantStatus
from owner_db.audit.models import OwnerAudit
from owner_db.catalog.providers import Provider, all_providers
from owner_db.tenants import suspending
from owner_db.tenants.errors import StepNotPossible
from owner_db.tenants.models import Tenant
from owner_db.tenants.registering import announce_provisioning
from owner_db.users import members
from owner_db.users.models import Invitation, User
from owner_db.users.signing_in import normalised_email
from resolvers.pages import page_of
from resolvers.reasons import required_reason
from tenancy.audit import acting, record_audit
from tenancy.context import OwnerContext
from tenancy.dead_letters import DeadLetter, dead_letters, requeue
from tenancy.errors import TenantUnknown
from tenancy.roles import Role, Scope


@dataclass(frozen=True, slots=True)
class FoundDeadLetter:
    """A dead letter, and the tenant whose outbox holds it; None for the platform's own."""

    tenant_id: UUID | None
    letter: DeadLetter


async def me(context: OwnerContext) -> User:
    """The signed-in member of staff. Raises NotSignedIn."""
    principal = context.signed_in()
    async with context.owner.reading() as session:
        return await session.get_one(User, principal.id)


async def tenants(context: OwnerContext, request: PageRequest, status: TenantStatus | None) -> Page[Tenant]:
    """The newest first. Needs platform:read."""
    context.require(Scope.PLATFORM_READ)
    rows = select(Tenant) if status is None else select(Tenant).where(Tenant.status == status)
    async with context.owner.reading() as session:
        return await page_of(session, rows, Tenant, request)


async def tenant(context: OwnerContext, tenant_id: UUID) -> Tenant | None:
    """Needs platform:read."""
    context.require(Scope.PLATFORM_READ)
    async with context.owner.reading() as session:
        return await session.get(Tenant, tenant_id)


async def payment_providers(context: OwnerContext) -> Sequence[Provider]:
    """The whole catalog, the most recommended first. Needs platform:read."""
    context.require(Scope.PLATFORM_READ)
    async with context.owner.reading() as session:
        return await all_providers(session)


async def audit_log(context: OwnerContext, request: PageRequest) -> Page[OwnerAudit]:
    """Who did what on the platform, the newest first. Needs platform:read."""
    context.require(Scope.PLATFORM_READ)
    async with context.owner.reading() as session:
        return await page_of(session, select(OwnerAudit), OwnerAudit, request)


async def list_dead_letters(
    context: OwnerContext, tenant_id: UUID | None, first: int
) -> Sequence[FoundDeadLetter]:
    """Jobs that were given up, of one tenant or of the platform itself. Needs platform:read.

    Raises:
        TenantNotServed: the tenant can't be reached.
    """
    context.require(Scope.PLATFORM_READ)
    database = context.owner if tenant_id is None else await context.services.tenants.settling(tenant_id)
    async with database.reading() as session:
        found = await dead_letters(session, first=first)
    return [FoundDeadLetter(tenant_id, letter) for letter in found]


async def requeue_dead_letter(
    context: OwnerContext, tenant_id: UUID | None, letter_id: UUID, reason: str
) -> None:
    """Try a job again from its first attempt. Needs platform:write.

    Raises:
        InvalidInput: no reason was given.
        NotFound: there is no such dead letter.
        TenantNotServed: the tenant can't be reached.
    """
    context.require(Scope.PLATFORM_WRITE)
    database = context.owner if tenant_id is None else await context.services.tenants.settling(tenant_id)
    async with database.transaction() as session:
        await requeue(session, letter_id, context.services.clock())
        record_audit(
            session,
            acting(context),
            "requeue_dead_letter",
            subject=outside(Kind.OUTBOX, letter_id),
            reason=required_reason(reason),
        )


async def approve_tenant(context: OwnerContext, tenant_id: UUID, reason: str) -> Tenant:
    """Let the database of a registered business be made. Needs platform:write.

    Raises:
        TenantUnknown: there is none.
        StepNotPossible: it waits for no approval.
    """
    context.require(Scope.PLATFORM_WRITE)
    async with context.owner.transaction() as session:
        row = await session.get(Tenant, tenant_id, with_for_update=True)
        if row is None:
            raise TenantUnknown
        if row.status != TenantStatus.REQUESTED:
            raise StepNotPossible(row.code, row.status, "approved")
        announce_provisioning(session, tenant_id)
        record_audit(
            session,
            acting(context),
            "approve_tenant",
            subject=outside(Kind.TENANT, tenant_id),
            reason=required_reason(reason),
        )
    return row


async def suspend_tenant(context: OwnerContext, tenant_id: UUID, reason: str) -> Tenant:
    """Stop a business's requests within seconds; money under way still settles. Needs platform:write.

    Raises:
        TenantNotFound: there is none.
        StepNotPossible: its state does not allow it.
    """
    context.require(Scope.PLATFORM_WRITE)
    return await suspending.suspend(
        context.owner,
        tenant_id,
        actor=acting(context),
        reason=required_reason(reason),
        invalidate=context.services.tenant_changed,
    )


async def resume_tenant(context: OwnerContext, tenant_id: UUID, reason: str) -> Tenant:
    """Let a suspended business serve requests again. Needs platform:write.

    Raises:
        TenantNotFound: there is none.
        StepNotPossible: it is not suspended.
    """
    context.require(Scope.PLATFORM_WRITE)
    return await suspending.resume(
        context.owner,
        tenant_id,
        actor=acting(context),
        reason=required_reason(reason),
        invalidate=context.services.tenant_changed,
    )


async def invite_business(context: OwnerContext, email: str) -> Invitation:
    """Mail an invitation to register a business. Needs platform:write.

    Raises:
        InvalidInput: it is no e-mail address.
    """
    principal = context.require(Scope.PLATFORM_WRITE)
    services = context.services
    address = normalised_email(email)
    async with services.owner.transaction() as session:
        invitation = await members.invite(
            session,
            tenant_id=None,
            email=address,
            role=Role.OWNER,
            invited_by=principal.id,
            now=services.clock(),
        )
        record_audit(
            session, acting(context), "invite_business", subject=outside(Kind.INVITATION, invitation.id)
        )
    return invitation
