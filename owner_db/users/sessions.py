"""Sign-in sessions: chains of refresh tokens, each good once."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update

from core.ids import new_id
from owner_db.users.errors import SessionEnded
from owner_db.users.models import RefreshToken
from tenancy.errors import NotSignedIn
from tenancy.sessions import OwnerSession

REFRESH_LIFE: Final = timedelta(days=30)
REUSE_GRACE: Final = timedelta(seconds=10)
"""Two tabs may refresh at once; a used token seen again later than this was stolen."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One link of a session's chain. `text` is shown once and stored only as a hash."""

    text: str
    family_id: UUID
    user_id: UUID
    tenant_id: UUID | None
    audience: str
    expires_at: datetime


def token_hash(text: str) -> bytes:
    """What is stored of a random token."""
    return hashlib.sha256(text.encode()).digest()


async def take_turn(session: OwnerSession, user_id: UUID) -> None:
    """Keep others from opening or ending the user's sessions until the transaction ends.

    Whoever ends them all would not see a token that another transaction is about to commit.
    """
    lock = func.pg_advisory_xact_lock(func.hashtextextended(f"sessions:{user_id}", 0))
    await session.execute(select(lock))


def open_session(
    session: OwnerSession,
    *,
    user_id: UUID,
    tenant_id: UUID | None,
    audience: str,
    now: datetime,
    family_id: UUID | None = None,
) -> OpenSession:
    """Add a refresh token: the first of a new family, or the next of `family_id`."""
    link = OpenSession(
        text=f"hzr_{secrets.token_urlsafe(32)}",
        family_id=family_id or new_id(),
        user_id=user_id,
        tenant_id=tenant_id,
        audience=audience,
        expires_at=now + REFRESH_LIFE,
    )
    session.add(
        RefreshToken(
            family_id=link.family_id,
            user_id=user_id,
            tenant_id=tenant_id,
            audience=audience,
            token_hash=token_hash(link.text),
            expires_at=link.expires_at,
        )
    )
    return link


async def refresh(session: OwnerSession, text: str, audience: str, now: datetime) -> OpenSession | None:
    """Use a refresh token up and give the next of its family.

    None says that the token was used before: the family is ended in this transaction, which the
    caller must commit before it refuses.

    Raises:
        SessionEnded: the token is unknown, revoked, too old, or for the other schema.
    """
    known = RefreshToken.token_hash == token_hash(text)
    user_id = await session.scalar(select(RefreshToken.user_id).where(known))
    if user_id is None:
        raise SessionEnded
    await take_turn(session, user_id)
    token = await session.scalar(select(RefreshToken).where(known))
    if token is None or token.revoked_at is not None or token.expires_at <= now or token.audience != audience:
        raise SessionEnded
    if token.used_at is not None and token.used_at < now - REUSE_GRACE:
        await end_family(session, token.family_id, now)
        return None
    token.used_at = token.used_at or now
    return open_session(
        session,
        user_id=token.user_id,
        tenant_id=token.tenant_id,
        audience=token.audience,
        now=now,
        family_id=token.family_id,
    )


async def move_family(
    session: OwnerSession, *, family_id: UUID, user_id: UUID, tenant_id: UUID, now: datetime
) -> OpenSession:
    """Let the session's tokens name another tenant from now on, and give the next of them.

    Raises:
        NotSignedIn: the session has ended, though its access token is not looked up again yet.
    """
    await take_turn(session, user_id)
    moved = await session.execute(
        update(RefreshToken)
        .where(
            RefreshToken.family_id == family_id,
            RefreshToken.user_id == user_id,
            RefreshToken.revoked_at.is_(None),
        )
        .values(tenant_id=tenant_id)
        .returning(RefreshToken.id)
    )
    if not moved.all():
        raise NotSignedIn("Your session has ended. Sign in again.")
    return open_session(
        session, user_id=user_id, tenant_id=tenant_id, audience="tenant", now=now, family_id=family_id
    )


async def end_family(session: OwnerSession, family_id: UUID, now: datetime) -> None:
    """Sign out: no token of this family counts any more."""
    user_id = await session.scalar(
        select(RefreshToken.user_id).where(RefreshToken.family_id == family_id).limit(1)
    )
    if user_id is None:
        return
    await take_turn(session, user_id)
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.family_id == family_id, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=now)
    )


async def end_all_sessions(session: OwnerSession, user_id: UUID, now: datetime) -> None:
    """Sign out everywhere, after a password was changed or an account disabled."""
    await take_turn(session, user_id)
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.user_id == user_id, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=now)
    )
