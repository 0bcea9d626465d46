"""What a proven caller may do now: looked up in the owner database."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import exists, select, update

from core.clock import Clock
from core.ids import Kind
from owner_db.users.models import ApiKey, Membership, RefreshToken, User
from tenancy.context import Principal
from tenancy.errors import NotSignedIn
from tenancy.links import Link
from tenancy.roles import PLATFORM_SCOPES, ROLE_SCOPES, PlatformRole, Role, Scope
from tenancy.sessions import OwnerDatabase
from tenancy.tokens import Claims

USE_RECORDED_EVERY: Final = timedelta(minutes=1)
"""`last_used_at` of a key is this coarse, so that reading stays reading."""


class OwnerPrincipals:
    """A PrincipalSource on the owner database."""

    def __init__(self, owner: OwnerDatabase, clock: Clock) -> None:
        self._owner = owner
        self._clock = clock

    async def of_claims(self, claims: Claims) -> Principal:
        """Raises NotSignedIn where the user is disabled, the session has ended or the role is gone."""
        async with self._owner.reading() as session:
            live = exists().where(
                RefreshToken.family_id == claims.session_id,
                RefreshToken.user_id == claims.user_id,
                RefreshToken.revoked_at.is_(None),
            )
            role = (
                select(Membership.role)
                .where(Membership.user_id == claims.user_id, Membership.tenant_id == claims.tenant_id)
                .scalar_subquery()
            )
            found = (
                await session.execute(
                    select(User.platform_role, role).where(
                        User.id == claims.user_id, User.disabled_at.is_(None), live
                    )
                )
            ).one_or_none()
        if found is None:
            raise NotSignedIn("Your session has ended. Sign in again.")
        return _staff(claims, found[0]) if claims.audience == "owner" else _member(claims, found[1])

    async def of_link(self, link: Link) -> Principal:
        """Who a link was written for, as they are now.

        Raises:
            NotSignedIn: the session has ended, the role is gone, the key was revoked or has expired.
        """
        if link.caller is Kind.API_KEY:
            async with self._owner.reading() as session:
                key = await session.get(ApiKey, link.caller_id)
            return self._of_key(key if key is not None and key.tenant_id == link.tenant_id else None)
        if link.session_id is None:
            raise NotSignedIn
        claims = Claims(link.caller_id, link.tenant_id, link.session_id, "tenant", link.expires_at)
        return await self.of_claims(claims)

    async def of_api_key(self, key_id: UUID, secret_hash: bytes) -> Principal:
        """Raises NotSignedIn where the key is unknown, revoked or expired."""
        now = self._clock()
        async with self._owner.transaction() as session:
            key = await session.get(ApiKey, key_id)
            principal = self._of_key(key if key is not None and key.secret_hash == secret_hash else None)
            if key is not None and (key.last_used_at is None or key.last_used_at < now - USE_RECORDED_EVERY):
                await session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=now))
        return principal

    def _of_key(self, key: ApiKey | None) -> Principal:
        if key is None or key.revoked_at is not None:
            raise NotSignedIn("This API key is unknown or was revoked.")
        if key.expires_at is not None and key.expires_at <= self._clock():
            raise NotSignedIn("This API key has expired. Make a new one.")
        return Principal(
            kind="api_key",
            id=key.id,
            tenant_id=key.tenant_id,
            scopes=frozenset(Scope(scope) for scope in key.scopes),
            role=None,
            expires_at=key.expires_at,
        )


def _member(claims: Claims, role: str | None) -> Principal:
    if claims.tenant_id is not None and role is None:
        raise NotSignedIn("You no longer have a role in this business. Sign in again.")
    return Principal(
        kind="user",
        id=claims.user_id,
        tenant_id=claims.tenant_id,
        scopes=frozenset() if role is None else ROLE_SCOPES[Role(role)],
        role=role,
        expires_at=claims.expires_at,
        session_id=claims.session_id,
    )


def _staff(claims: Claims, platform_role: str | None) -> Principal:
    if platform_role is None:
        raise NotSignedIn("This is for the platform's own staff.")
    return Principal(
        kind="staff",
        id=claims.user_id,
        tenant_id=None,
        scopes=PLATFORM_SCOPES[PlatformRole(platform_role)],
        role=platform_role,
        expires_at=claims.expires_at,
        session_id=claims.session_id,
    )
