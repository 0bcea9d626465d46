"""Signing in and out, and choosing a business."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import update

from core.ids import Kind, outside
from owner_db.users.errors import SessionEnded
from owner_db.users.models import User
from owner_db.users.sessions import OpenSession, end_family, move_family, refresh
from owner_db.users.signing_in import begin_session, role_in, user_by_password
from tenancy.audit import Actor, acting, record_audit
from tenancy.context import OwnerContext, TenantContext
from tenancy.errors import NotSignedIn
from tenancy.tokens import ACCESS_TOKEN_LIFE, AccessToken, Claims

Context = TenantContext | OwnerContext

SIGN_INS_PER_ADDRESS_MAX = 10
SIGN_INS_PER_EMAIL_MAX = 50
"""More than from one address: nobody alone can keep another one from signing in."""
SIGN_IN_WINDOW_S = 900


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a client keeps: the access token for requests, the refresh token for the next one."""

    access: AccessToken
    refresh_token: str
    user_id: UUID
    tenant_id: UUID | None


async def sign_in(context: Context, email: str, password: str) -> SignedIn:
    """Start a session in the business last used, or in none.

    Raises:
        RateLimited: too many tries from this address or for this account.
        WrongCredentials: unknown address, wrong password or disabled account.
    """
    await _limit_sign_in(context, email)
    services = context.services
    user = await user_by_password(services.owner, email, password)
    is_staff = isinstance(context, OwnerContext)
    if is_staff and user.platform_role is None:
        raise NotSignedIn("This is for the platform's own staff. Sign in on /graphql instead.")
    async with services.owner.transaction() as session:
        audience = "owner" if is_staff else "tenant"
        link = await begin_session(session, user, audience=audience, now=services.clock())
        record_audit(session, by_user(context, user.id), "sign_in", subject=outside(Kind.USER, user.id))
    return await signed_in(context, link)


async def refresh_session(context: Context, refresh_token: str) -> SignedIn:
    """Use a refresh token up for a new pair.

    Raises:
        RateLimited: too many tries from this address.
        SessionEnded: unknown, revoked or too old; or used before, which ends the whole session.
    """
    services = context.services
    await services.limits.hit("refresh", context.request.network, limit=600, per_s=SIGN_IN_WINDOW_S)
    audience = "owner" if isinstance(context, OwnerContext) else "tenant"
    async with services.owner.transaction() as session:
        link = await refresh(session, refresh_token, audience, services.clock())
    # Raised after the commit: the end of a stolen family must stand.
    if link is None:
        raise SessionEnded
    return await signed_in(context, link)


async def sign_out(context: Context) -> None:
    """End the session this token came from. Raises NotSignedIn."""
    principal = context.signed_in()
    if principal.session_id is None:
        raise NotSignedIn("An API key has no session. Revoke it instead.")
    async with context.services.owner.transaction() as session:
        await end_family(session, principal.session_id, context.services.clock())
        record_audit(session, acting(context), "sign_out")


async def switch_tenant(context: TenantContext, tenant_id: UUID) -> SignedIn:
    """Let this session speak for another business of the user.

    Raises:
        NotSignedIn: no user is signed in, or the session has ended.
        NotAMember: the user has no role there.
    """
    principal = context.signed_in()
    if principal.session_id is None:
        raise NotSignedIn("An API key belongs to one business. Sign in as a user to switch.")
    services = context.services
    async with services.owner.transaction() as session:
        await role_in(session, principal.id, tenant_id)
        link = await move_family(
            session,
            family_id=principal.session_id,
            user_id=principal.id,
            tenant_id=tenant_id,
            now=services.clock(),
        )
        await session.execute(update(User).where(User.id == principal.id).values(last_tenant_id=tenant_id))
        record_audit(session, acting(context), "switch_tenant", subject=outside(Kind.TENANT, tenant_id))
    return await signed_in(context, link)


async def signed_in(context: Context, link: OpenSession) -> SignedIn:
    """Issue the access token that goes with a committed refresh token."""
    services = context.services
    claims = Claims(
        user_id=link.user_id,
        tenant_id=link.tenant_id,
        session_id=link.family_id,
        audience=link.audience,
        expires_at=services.clock() + ACCESS_TOKEN_LIFE,
    )
    return SignedIn(await services.tokens.issue(claims), link.text, link.user_id, link.tenant_id)


def by_user(context: Context, user_id: UUID) -> Actor:
    """The actor of something a user does before a token names them."""
    request = context.request
    return Actor("user", user_id, request.ip, request.user_agent, request.id)


async def _limit_sign_in(context: Context, email: str) -> None:
    limits = context.services.limits
    await limits.hit(
        "sign_in", context.request.network, limit=SIGN_INS_PER_ADDRESS_MAX, per_s=SIGN_IN_WINDOW_S
    )
    await limits.hit(
        "sign_in_as", email.strip().lower()[:320], limit=SIGN_INS_PER_EMAIL_MAX, per_s=SIGN_IN_WINDOW_S
    )
