"""Sign-in sessions: chains of refresh tokens, each good once."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update

from core.ids import new_id
from owner_db.users.errors import SessionEnded
from owner_db.users.models import RefreshToken
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
    token = await session.scalar(
        select(RefreshToken).where(RefreshToken.token_hash == token_hash(text)).with_for_update()
    )
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


async def move_family(session: OwnerSession, family_id: UUID, tenant_id: UUID) -> None:
    """Let the session's later tokens name another tenant."""
    await session.execute(
        update(RefreshToken).where(RefreshToken.family_id == family_id).values(tenant_id=tenant_id)
    )


async def end_family(session: OwnerSession, family_id: UUID, now: datetime) -> None:
    """Sign out: no token of this family counts any more."""
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.family_id == family_id, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=now)
    )


async def end_all_sessions(session: OwnerSession, user_id: UUID, now: datetime) -> None:
    """Sign out everywhere, after a password was changed or an account disabled."""
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.user_id == user_id, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=now)
    )
