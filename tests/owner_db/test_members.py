"""Memberships and invitations of a business."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select

from core.errors import NotFound
from core.ids import new_id
from owner_db.users import members
from owner_db.users.errors import AlreadyMember, LastOwner, LinkInvalid, NotAMember
from owner_db.users.models import Membership, User
from tenancy.roles import Role
from tenancy.sessions import OwnerDatabase
from tests.factories.users import make_member, make_tenant_row

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


async def test_a_business_keeps_an_owner_even_when_two_leave_at_once(owner: OwnerDatabase) -> None:
    tenant_id = await make_tenant_row(owner)
    people = [await make_member(owner, tenant_id, Role.OWNER, f"owner{n}@example.com") for n in range(2)]

    async def leave(user: User) -> bool:
        try:
            async with owner.transaction() as session:
                await members.remove_member(session, user.id, tenant_id, NOW)
        except LastOwner:
            return False
        return True

    left = await asyncio.gather(*(leave(user) for user in people))

    assert sorted(left) == [False, True]
    async with owner.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Membership)) == 1


async def test_the_last_owner_can_not_become_less(owner: OwnerDatabase) -> None:
    tenant_id = await make_tenant_row(owner)
    user = await make_member(owner, tenant_id)

    async with owner.transaction() as session:
        with pytest.raises(LastOwner):
            await members.change_role(session, user.id, tenant_id, Role.ADMIN, NOW)
        with pytest.raises(NotAMember):
            await members.change_role(session, new_id(), tenant_id, Role.ADMIN, NOW)


async def test_an_invitation_is_accepted_once_and_renewed_while_open(owner: OwnerDatabase) -> None:
    tenant_id = await make_tenant_row(owner)
    inviter = await make_member(owner, tenant_id)

    async def invite() -> UUID:
        async with owner.transaction() as session:
            invitation = await members.invite(
                session,
                tenant_id=tenant_id,
                email="otieno@example.com",
                role=Role.CASHIER,
                invited_by=inviter.id,
                now=NOW,
            )
            return invitation.id

    invitation_id = await invite()
    assert await invite() == invitation_id
    async with owner.transaction() as session:
        made = await members.make_invitation_link(session, invitation_id, NOW)
        assert made is not None
        _, secret = made
    async with owner.transaction() as session:
        assert (await members.use_invitation(session, secret, NOW)).role == "cashier"
    async with owner.transaction() as session:
        with pytest.raises(LinkInvalid):
            await members.use_invitation(session, secret, NOW)
        assert await members.make_invitation_link(session, invitation_id, NOW) is None
        with pytest.raises(NotFound):
            await members.revoke_invitation(session, invitation_id, tenant_id, NOW)


async def test_a_member_is_not_invited_and_not_added_again(owner: OwnerDatabase) -> None:
    tenant_id = await make_tenant_row(owner)
    user = await make_member(owner, tenant_id)

    async with owner.transaction() as session:
        with pytest.raises(AlreadyMember):
            await members.invite(
                session, tenant_id=tenant_id, email=user.email, role=Role.ADMIN, invited_by=user.id, now=NOW
            )
        with pytest.raises(AlreadyMember):
            await members.add_member(session, user.id, tenant_id, Role.ADMIN)
