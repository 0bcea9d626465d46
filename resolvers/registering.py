"""Registering a business, and watching it become active."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select

from core.errors import InvalidInput
from core.ids import Kind, outside
from core.tenant import TenantKind, TenantStatus
from owner_db.tenants.models import Tenant
from owner_db.tenants.registering import NewTenant, register_tenant
from owner_db.users.errors import EmailNotVerified, NotAMember, RegistrationClosed
from owner_db.users.links import ask_for_link
from owner_db.users.members import add_member, use_invitation
from owner_db.users.models import Membership, User
from owner_db.users.passwords import require_strong
from owner_db.users.sessions import open_session
from owner_db.users.signing_in import add_user, new_account, normalised_email
from resolvers.sessions import SignedIn, by_user, signed_in
from tenancy.audit import Actor, acting, record_audit
from tenancy.context import TenantContext
from tenancy.errors import NotSignedIn
from tenancy.keyring import WrappedKey
from tenancy.roles import Role
from tenancy.sessions import OwnerSession

REGISTRATIONS_MAX = 10
WINDOW_S = 3_600


@dataclass(frozen=True, slots=True)
class NewBusiness:
    """What someone tells about the business they register."""

    name: str
    kind: TenantKind
    country: str
    slug: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """Someone new, and their business."""

    email: str
    password: str
    name: str
    business: NewBusiness
    invitation: str | None = None


@dataclass(frozen=True, slots=True)
class MyTenant:
    """A business of the caller's, and their role in it."""

    tenant: Tenant
    role: Role


async def register_business(context: TenantContext, new: Registration) -> tuple[SignedIn, Tenant]:
    """Open an account and register a business; a job makes its database, another mails a link.

    Raises:
        RateLimited: too many registrations from this network address.
        InvalidInput, WeakPassword, SlugTaken: what was sent can't be used.
        EmailTaken: the address has an account: sign in and use createBusiness.
        RegistrationClosed, LinkInvalid: an invitation is needed, or this one is not good.
        NoServerHasRoom: the platform is full.
    """
    services = context.services
    await services.limits.hit("register", context.request.network, limit=REGISTRATIONS_MAX, per_s=WINDOW_S)
    email = normalised_email(new.email)
    require_strong(new.password, email)
    account = await new_account(new.name, new.password)
    tenant = _new_tenant(context, new.business)
    key = await services.keyring.new_wrapped_key()
    now = services.clock()
    async with services.owner.transaction() as session:
        await _require_invited(session, context, new.invitation, email)
        user = await add_user(session, email, account)
        row = await _register(session, context, tenant, key, user.id)
        user.last_tenant_id = row.id
        await ask_for_link(session, user.id, "verify_email", now)
        link = open_session(session, user_id=user.id, tenant_id=row.id, audience="tenant", now=now)
        _record(session, by_user(context, user.id), row)
    return await signed_in(context, link), row


async def create_business(context: TenantContext, business: NewBusiness) -> Tenant:
    """Register another business of the signed-in user.

    Raises:
        NotSignedIn: no user is signed in.
        EmailNotVerified: the address is not proved yet.
        RegistrationClosed: only staff may add a business here.
        RateLimited, InvalidInput, SlugTaken, TooManyTenants, NoServerHasRoom: as for registering.
    """
    principal = context.signed_in()
    if principal.kind != "user":
        raise NotSignedIn("An API key can't register a business. Sign in as a user.")
    services = context.services
    await services.limits.hit("register", context.request.network, limit=REGISTRATIONS_MAX, per_s=WINDOW_S)
    if services.policy.registration == "invite":
        raise RegistrationClosed
    tenant = _new_tenant(context, business)
    key = await services.keyring.new_wrapped_key()
    async with services.owner.transaction() as session:
        user = await session.get_one(User, principal.id)
        if user.email_verified_at is None:
            raise EmailNotVerified
        row = await _register(session, context, tenant, key, user.id)
        _record(session, acting(context), row)
    return row


async def me(context: TenantContext) -> User | None:
    """The signed-in user; None for an API key. Raises NotSignedIn."""
    principal = context.signed_in()
    if principal.kind != "user":
        return None
    async with context.services.owner.reading() as session:
        return await session.get_one(User, principal.id)


async def my_tenants(context: TenantContext) -> Sequence[MyTenant]:
    """Every business the signed-in user has a role in, whatever its status. Raises NotSignedIn."""
    principal = context.signed_in()
    async with context.services.owner.reading() as session:
        found = await session.execute(
            select(Tenant, Membership.role)
            .join(Membership, Membership.tenant_id == Tenant.id)
            .where(Membership.user_id == principal.id, Tenant.status != TenantStatus.DELETED)
            .order_by(Tenant.id)
        )
        return [MyTenant(tenant, Role(role)) for tenant, role in found]


async def watch_tenant(context: TenantContext, tenant_id: UUID) -> AsyncIterator[Tenant]:
    """The business now, and again whenever its status changes.

    Raises:
        NotSignedIn, NotAMember.
    """
    principal = context.signed_in()
    async with context.services.feed.subscribe(tenant_id, {"tenant"}) as changes:
        yield await _tenant_of(context, principal.id, tenant_id)
        async for _ in changes:
            yield await _tenant_of(context, principal.id, tenant_id)


async def _tenant_of(context: TenantContext, user_id: UUID, tenant_id: UUID) -> Tenant:
    async with context.services.owner.reading() as session:
        tenant = await session.scalar(
            select(Tenant)
            .join(Membership, Membership.tenant_id == Tenant.id)
            .where(Tenant.id == tenant_id, Membership.user_id == user_id)
        )
    if tenant is None:
        raise NotAMember
    return tenant


def _new_tenant(context: TenantContext, business: NewBusiness) -> NewTenant:
    return NewTenant(
        name=business.name,
        kind=business.kind,
        country=business.country.upper(),
        slug=business.slug,
        is_approved=context.services.policy.registration != "approval",
    )


async def _register(
    session: OwnerSession, context: TenantContext, new: NewTenant, key: WrappedKey, user_id: UUID
) -> Tenant:
    row = await register_tenant(
        session,
        replace(new, created_by=user_id),
        key,
        tenants_per_user_max=context.services.policy.tenants_per_user_max,
    )
    await add_member(session, user_id, row.id, Role.OWNER)
    return row


async def _require_invited(
    session: OwnerSession, context: TenantContext, secret: str | None, email: str
) -> None:
    if context.services.policy.registration != "invite":
        return
    if not secret:
        raise RegistrationClosed
    invitation = await use_invitation(session, secret, context.services.clock())
    if invitation.tenant_id is not None or invitation.email != email:
        raise InvalidInput("invitation", "This invitation is for another address or business.")


def _record(session: OwnerSession, actor: Actor, row: Tenant) -> None:
    record_audit(session, actor, "register_business", subject=outside(Kind.TENANT, row.id))
