"""Memberships of a tenant, and invitations to it."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select, update

from core.errors import NotFound
from owner_db.users.api_keys import revoke_keys_of
from owner_db.users.errors import AlreadyMember, LastOwner, LinkInvalid, NotAMember
from owner_db.users.models import Invitation, Membership, User
from owner_db.users.sessions import token_hash
from tenancy.outbox import announce
from tenancy.roles import ROLE_SCOPES, Role, Scope
from tenancy.sessions import OwnerSession

INVITATION_LIFE: Final = timedelta(days=7)
TOLD_MAX: Final = 20
"""Members that one notice is mailed to."""


async def add_member(session: OwnerSession, user_id: UUID, tenant_id: UUID, role: Role) -> Membership:
    """Raises AlreadyMember."""
    if await _membership(session, user_id, tenant_id) is not None:
        raise AlreadyMember
    membership = Membership(user_id=user_id, tenant_id=tenant_id, role=role.value)
    session.add(membership)
    await session.flush()
    return membership


async def addresses_with(session: OwnerSession, tenant_id: UUID, scope: Scope) -> Sequence[str]:
    """The proved addresses of members whose role has this scope, at most TOLD_MAX, longest members first."""
    roles = [role.value for role, scopes in ROLE_SCOPES.items() if scope in scopes]
    found = await session.scalars(
        select(User.email)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.tenant_id == tenant_id,
            Membership.role.in_(roles),
            User.email_verified_at.is_not(None),
            User.disabled_at.is_(None),
        )
        .order_by(Membership.id)
        .limit(TOLD_MAX)
    )
    return found.all()


async def change_role(
    session: OwnerSession, user_id: UUID, tenant_id: UUID, role: Role, now: datetime
) -> Membership:
    """Give another role; keys of the member's that may do more than it end.

    Raises:
        NotAMember, or LastOwner where nobody else could give roles.
    """
    membership = await _locked(session, user_id, tenant_id)
    if role is not Role.OWNER:
        await _require_other_owner(session, membership)
    membership.role = role.value
    await revoke_keys_of(session, user_id, tenant_id, now, keep=ROLE_SCOPES[role])
    return membership


async def remove_member(session: OwnerSession, user_id: UUID, tenant_id: UUID, now: datetime) -> None:
    """Take the role away, and with it the keys they made and the open invitations they sent.

    Raises:
        NotAMember, LastOwner.
    """
    membership = await _locked(session, user_id, tenant_id)
    await _require_other_owner(session, membership)
    await session.execute(delete(Membership).where(Membership.id == membership.id))
    await revoke_keys_of(session, user_id, tenant_id, now)
    await session.execute(
        update(Invitation)
        .where(
            Invitation.tenant_id == tenant_id,
            Invitation.invited_by == user_id,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
        )
        .values(revoked_at=now)
    )


async def invite(
    session: OwnerSession, *, tenant_id: UUID | None, email: str, role: Role, invited_by: UUID, now: datetime
) -> Invitation:
    """Let a job mail an invitation; an open one to the same address is renewed.

    Raises:
        AlreadyMember: the address belongs to a member.
    """
    if tenant_id is not None:
        user_id = await session.scalar(select(User.id).where(User.email == email))
        if user_id is not None and await _membership(session, user_id, tenant_id) is not None:
            raise AlreadyMember
    invitation = await session.scalar(
        select(Invitation)
        .where(
            Invitation.tenant_id.is_not_distinct_from(tenant_id),
            Invitation.email == email,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
        )
        .with_for_update()
    )
    if invitation is None:
        invitation = Invitation(tenant_id=tenant_id, email=email)
        session.add(invitation)
    invitation.role = role.value
    invitation.invited_by = invited_by
    invitation.expires_at = now + INVITATION_LIFE
    await session.flush()
    announce(session, "send_invitation", queue="platform", invitation_id=str(invitation.id))
    return invitation


async def revoke_invitation(
    session: OwnerSession, invitation_id: UUID, tenant_id: UUID, now: datetime
) -> Invitation:
    """Raises NotFound where no open invitation of this tenant has that id."""
    invitation = await session.get(Invitation, invitation_id, with_for_update=True)
    if invitation is None or invitation.tenant_id != tenant_id or invitation.accepted_at is not None:
        raise NotFound("invitation")
    invitation.revoked_at = invitation.revoked_at or now
    return invitation


async def make_invitation_link(
    session: OwnerSession, invitation_id: UUID, now: datetime
) -> tuple[Invitation, str] | None:
    """The invitation and a fresh secret for its mail; None where it is over."""
    invitation = await session.get(Invitation, invitation_id, with_for_update=True)
    if invitation is None or not _is_open(invitation, now):
        return None
    secret = secrets.token_urlsafe(32)
    invitation.token_hash = token_hash(secret)
    return invitation, secret


async def use_invitation(session: OwnerSession, secret: str, now: datetime) -> Invitation:
    """Mark an invitation accepted; the caller adds the membership in the same transaction.

    Raises:
        LinkInvalid: unknown, used, revoked or too old.
    """
    invitation = await session.scalar(
        select(Invitation).where(Invitation.token_hash == token_hash(secret)).with_for_update()
    )
    if invitation is None or not _is_open(invitation, now):
        raise LinkInvalid
    invitation.accepted_at = now
    return invitation


def _is_open(invitation: Invitation, now: datetime) -> bool:
    return invitation.accepted_at is None and invitation.revoked_at is None and invitation.expires_at > now


async def _membership(session: OwnerSession, user_id: UUID, tenant_id: UUID) -> Membership | None:
    return await session.scalar(
        select(Membership).where(Membership.user_id == user_id, Membership.tenant_id == tenant_id)
    )


async def _locked(session: OwnerSession, user_id: UUID, tenant_id: UUID) -> Membership:
    # All owners are locked, in id order: two of them leaving at once must not leave none.
    rows = await session.scalars(
        select(Membership)
        .where(
            Membership.tenant_id == tenant_id,
            (Membership.role == Role.OWNER.value) | (Membership.user_id == user_id),
        )
        .order_by(Membership.id)
        .with_for_update()
    )
    membership = next((row for row in rows if row.user_id == user_id), None)
    if membership is None:
        raise NotAMember
    return membership


async def _require_other_owner(session: OwnerSession, membership: Membership) -> None:
    if membership.role != Role.OWNER.value:
        return
    owners = await session.scalar(
        select(func.count())
        .select_from(Membership)
        .where(Membership.tenant_id == membership.tenant_id, Membership.role == Role.OWNER.value)
    )
    if owners == 1:
        raise LastOwner
