"""Links sent by e-mail: to confirm an address, and to reset a password."""

import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update

from owner_db.users.errors import LinkInvalid
from owner_db.users.models import MailToken, User
from owner_db.users.sessions import end_all_sessions, token_hash
from tenancy.outbox import announce
from tenancy.sessions import OwnerSession

LINK_LIFE: Final = {"verify_email": timedelta(days=3), "reset_password": timedelta(hours=1)}


async def ask_for_link(session: OwnerSession, user_id: UUID, purpose: str, now: datetime) -> None:
    """Let a job mail a link for `purpose`: `verify_email` or `reset_password`."""
    token = MailToken(user_id=user_id, purpose=purpose, expires_at=now + LINK_LIFE[purpose])
    session.add(token)
    await session.flush()
    announce(session, "send_link", queue="platform", mail_token_id=str(token.id))


async def make_link(
    session: OwnerSession, mail_token_id: UUID, now: datetime
) -> tuple[User, str, str] | None:
    """The addressee, the purpose and a fresh secret, whose hash replaces any before it.

    The secret exists only in the mail; a mail sent twice carries two secrets, of which the last counts.
    None where it was used or is too old.
    """
    token = await session.get(MailToken, mail_token_id, with_for_update=True)
    if token is None or token.used_at is not None or token.expires_at <= now:
        return None
    secret = secrets.token_urlsafe(32)
    token.token_hash = token_hash(secret)
    user = await session.get_one(User, token.user_id)
    return user, token.purpose, secret


async def use_link(session: OwnerSession, secret: str, purpose: str, now: datetime) -> UUID:
    """The user a link was sent to; it is used up.

    Raises:
        LinkInvalid: unknown, used before, or too old.
    """
    token = await session.scalar(
        select(MailToken)
        .where(MailToken.token_hash == token_hash(secret), MailToken.purpose == purpose)
        .with_for_update()
    )
    if token is None or token.used_at is not None or token.expires_at <= now:
        raise LinkInvalid
    token.used_at = now
    return token.user_id


async def confirm_email(session: OwnerSession, secret: str, now: datetime) -> User:
    """Raises LinkInvalid."""
    user = await session.get_one(User, await use_link(session, secret, "verify_email", now))
    user.email_verified_at = user.email_verified_at or now
    return user


async def replace_password(session: OwnerSession, secret: str, password_hash: str, now: datetime) -> User:
    """Set the password of whom the link was sent to, and end all sessions and other links.

    Raises:
        LinkInvalid: unknown, used before, or too old.
    """
    user = await session.get_one(User, await use_link(session, secret, "reset_password", now))
    user.password_hash = password_hash
    # Whoever reads the mail has proved the address.
    user.email_verified_at = user.email_verified_at or now
    await session.execute(
        update(MailToken)
        .where(
            MailToken.user_id == user.id, MailToken.purpose == "reset_password", MailToken.used_at.is_(None)
        )
        .values(used_at=now)
    )
    await end_all_sessions(session, user.id, now)
    return user
