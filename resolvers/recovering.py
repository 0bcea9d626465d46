"""Proving an e-mail address, and replacing a forgotten password."""

from sqlalchemy import select

from core.ids import Kind, outside
from owner_db.users.links import ask_for_link, confirm_email, replace_password
from owner_db.users.models import User
from owner_db.users.passwords import hashed, require_strong
from owner_db.users.signing_in import normalised_email
from resolvers.sessions import by_user
from tenancy.audit import record_audit
from tenancy.context import OwnerContext, TenantContext

RESETS_MAX = 5
WINDOW_S = 3_600


async def verify_email(context: TenantContext, secret: str) -> User:
    """Raises RateLimited, or LinkInvalid."""
    services = context.services
    await services.limits.hit("use_link", context.request.network, limit=30, per_s=WINDOW_S)
    async with services.owner.transaction() as session:
        user = await confirm_email(session, secret, services.clock())
        record_audit(session, by_user(context, user.id), "verify_email", subject=outside(Kind.USER, user.id))
    return user


async def request_password_reset(context: TenantContext | OwnerContext, email: str) -> None:
    """Mail a link, if the address is known; the answer does not tell.

    Raises:
        InvalidInput: it is no e-mail address.
        RateLimited: too many from this network address or for this account.
    """
    services = context.services
    address = normalised_email(email)
    await services.limits.hit("reset", context.request.network, limit=RESETS_MAX, per_s=WINDOW_S)
    await services.limits.hit("reset_of", address, limit=RESETS_MAX, per_s=WINDOW_S)
    async with services.owner.transaction() as session:
        user = await session.scalar(select(User).where(User.email == address, User.disabled_at.is_(None)))
        if user is not None:
            await ask_for_link(session, user.id, "reset_password", services.clock())
            record_audit(session, by_user(context, user.id), "request_password_reset")


async def reset_password(context: TenantContext | OwnerContext, secret: str, password: str) -> None:
    """Set a new password by a mailed link, and end every session of its user.

    Raises:
        RateLimited: too many tries from this network address.
        WeakPassword: it is too easy to guess.
        LinkInvalid: unknown, used before, or too old.
    """
    services = context.services
    await services.limits.hit("use_link", context.request.network, limit=30, per_s=WINDOW_S)
    require_strong(password, "")
    password_hash = await hashed(password)
    async with services.owner.transaction() as session:
        user = await replace_password(session, secret, password_hash, services.clock())
        record_audit(
            session, by_user(context, user.id), "reset_password", subject=outside(Kind.USER, user.id)
        )
