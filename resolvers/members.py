"""Who works in a business, and who is invited."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from core.errors import InvalidInput
from core.ids import Kind, outside
from owner_db.users import members
from owner_db.users.errors import ScopeTooWide
from owner_db.users.granting import scopes_now
from owner_db.users.models import Invitation, Membership, User
from owner_db.users.sessions import open_session
from owner_db.users.signing_in import NewAccount, add_user, new_account, normalised_email, role_in
from resolvers.reasons import required_reason
from resolvers.sessions import SignedIn, by_user, signed_in
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.errors import NotSignedIn
from tenancy.roles import ROLE_SCOPES, Role, Scope
from tenancy.sessions import OwnerSession

INVITATIONS_MAX = 50
WINDOW_S = 3_600
LISTED_MAX = 500
"""People of one business; more belong in a directory of its own."""


@dataclass(frozen=True, slots=True)
class Member:
    """A person and their role in one business."""

    membership_id: UUID
    user_id: UUID
    email: str
    name: str
    role: Role
    since: datetime


async def list_members(context: TenantContext) -> Sequence[Member]:
    """Everyone with a role here, the first first. Needs members:read."""
    context.require(Scope.MEMBERS_READ)
    async with context.services.owner.reading() as session:
        found = await session.execute(
            select(Membership, User)
            .join(User, User.id == Membership.user_id)
            .where(Membership.tenant_id == context.tenant.id)
            .order_by(Membership.id)
            .limit(LISTED_MAX)
        )
        return [_member(membership, user) for membership, user in found]


async def list_invitations(context: TenantContext) -> Sequence[Invitation]:
    """Open invitations of this business. Needs members:read."""
    context.require(Scope.MEMBERS_READ)
    async with context.services.owner.reading() as session:
        found = await session.scalars(
            select(Invitation)
            .where(
                Invitation.tenant_id == context.tenant.id,
                Invitation.accepted_at.is_(None),
                Invitation.revoked_at.is_(None),
            )
            .order_by(Invitation.id)
            .limit(LISTED_MAX)
        )
        return found.all()


async def invite_member(context: TenantContext, email: str, role: Role) -> Invitation:
    """Mail an invitation. Needs members:write.

    Raises:
        InvalidInput: it is no e-mail address.
        ScopeTooWide: the role may do more than the caller.
        AlreadyMember: the address belongs to a member.
        RateLimited: too many invitations from this business.
    """
    principal = context.require(Scope.MEMBERS_WRITE)
    services = context.services
    address = normalised_email(email)
    await services.limits.hit("invite", str(context.tenant.id), limit=INVITATIONS_MAX, per_s=WINDOW_S)
    async with services.owner.transaction() as session:
        _require_within(role, await scopes_now(session, principal))
        invitation = await members.invite(
            session,
            tenant_id=context.tenant.id,
            email=address,
            role=role,
            invited_by=principal.id,
            now=services.clock(),
        )
        record_audit(
            session,
            acting(context),
            "invite_member",
            subject=outside(Kind.INVITATION, invitation.id),
            details={"tenant": outside(Kind.TENANT, context.tenant.id), "role": role.value},
        )
    return invitation


async def revoke_invitation(context: TenantContext, invitation_id: UUID) -> Invitation:
    """Raises NotFound. Needs members:write."""
    context.require(Scope.MEMBERS_WRITE)
    services = context.services
    async with services.owner.transaction() as session:
        invitation = await members.revoke_invitation(
            session, invitation_id, context.tenant.id, services.clock()
        )
        record_audit(
            session, acting(context), "revoke_invitation", subject=outside(Kind.INVITATION, invitation_id)
        )
    return invitation


async def accept_invitation(
    context: TenantContext, secret: str, name: str | None, password: str | None
) -> SignedIn:
    """Join the business that invited; someone new gives a name and a password.

    Raises:
        LinkInvalid: unknown, used, revoked or too old.
        NotSignedIn: the address has an account: sign in to it first.
        InvalidInput, WeakPassword: name or password of someone new.
        AlreadyMember: the person has a role there already.
    """
    services = context.services
    await services.limits.hit("use_link", context.request.network, limit=30, per_s=WINDOW_S)
    now = services.clock()
    account = await new_account(name, password) if name and password else None
    async with services.owner.transaction() as session:
        invitation = await members.use_invitation(session, secret, now)
        user = await _invited_user(session, context, invitation, account)
        tenant_id = invitation.tenant_id
        if tenant_id is None:
            raise InvalidInput("secret", "This invitation is for a new business: use registerBusiness.")
        await members.add_member(session, user.id, tenant_id, Role(invitation.role))
        user.email_verified_at = user.email_verified_at or now
        user.last_tenant_id = tenant_id
        link = open_session(session, user_id=user.id, tenant_id=tenant_id, audience="tenant", now=now)
        record_audit(
            session,
            by_user(context, user.id),
            "accept_invitation",
            subject=outside(Kind.INVITATION, invitation.id),
        )
    return await signed_in(context, link)


async def change_member_role(context: TenantContext, user_id: UUID, role: Role, reason: str) -> Member:
    """Give a member another role; their open sockets notice within seconds. Needs members:write.

    Raises:
        ScopeTooWide: the new or the present role may do more than the caller.
        NotAMember, LastOwner.
    """
    principal = context.require(Scope.MEMBERS_WRITE)
    async with context.services.owner.transaction() as session:
        scopes = await scopes_now(session, principal)
        before = Role(await role_in(session, user_id, context.tenant.id))
        for one in (role, before):
            _require_within(one, scopes)
        now = context.services.clock()
        membership = await members.change_role(session, user_id, context.tenant.id, role, now)
        user = await session.get_one(User, user_id)
        record_audit(
            session,
            acting(context),
            "change_member_role",
            subject=outside(Kind.USER, user_id),
            reason=required_reason(reason),
            details={"tenant": outside(Kind.TENANT, context.tenant.id), "from": before, "to": role},
        )
    return _member(membership, user)


async def remove_member(context: TenantContext, user_id: UUID, reason: str) -> None:
    """Take a member's role, keys and open invitations away. Needs members:write.

    Raises:
        NotAMember, LastOwner or ScopeTooWide.
    """
    principal = context.require(Scope.MEMBERS_WRITE)
    async with context.services.owner.transaction() as session:
        scopes = await scopes_now(session, principal)
        _require_within(Role(await role_in(session, user_id, context.tenant.id)), scopes)
        await members.remove_member(session, user_id, context.tenant.id, context.services.clock())
        record_audit(
            session,
            acting(context),
            "remove_member",
            subject=outside(Kind.USER, user_id),
            reason=required_reason(reason),
            details={"tenant": outside(Kind.TENANT, context.tenant.id)},
        )


async def _invited_user(
    session: OwnerSession, context: TenantContext, invitation: Invitation, account: NewAccount | None
) -> User:
    user = await session.scalar(select(User).where(User.email == invitation.email))
    if user is None:
        if account is None:
            raise InvalidInput("password", "Give a name and a password to open your account.")
        return await add_user(session, invitation.email, account)
    if context.principal is None or context.principal.id != user.id:
        raise NotSignedIn("This address has an account. Sign in to it, then accept.")
    return user


def _member(membership: Membership, user: User) -> Member:
    return Member(membership.id, user.id, user.email, user.name, Role(membership.role), membership.created_at)


def _require_within(role: Role, scopes: frozenset[Scope]) -> None:
    """Nobody gives, or takes away, a role that may do more than their own."""
    for scope in sorted(ROLE_SCOPES[role] - scopes):
        raise ScopeTooWide(scope)
