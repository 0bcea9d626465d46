"""A proof is believed for some seconds; what it can no longer bring in that time."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from core.ids import new_id
from owner_db.users import links
from owner_db.users.errors import ScopeTooWide, SessionEnded, WrongCredentials
from owner_db.users.models import ApiKey, Invitation, MailToken, Membership, RefreshToken, User
from owner_db.users.passwords import hashed
from owner_db.users.sessions import end_all_sessions, end_family, open_session, refresh
from owner_db.users.signing_in import begin_session, user_by_password
from resolvers import api_keys, members, sessions
from tenancy.context import Principal, Services, TenantContext
from tenancy.errors import NotSignedIn
from tenancy.roles import ROLE_SCOPES, Role, Scope
from tenancy.sessions import OwnerSession, Tenant
from tests.factories.callers import REQUEST
from tests.factories.users import PASSWORD, make_member

REASON = "a test"
PATIENCE_S = 5.0


async def signed_in(services: Services, tenant: Tenant, role: Role, email: str) -> TenantContext:
    """Somebody whose token was proven a moment ago."""
    user = await make_member(services.owner, tenant.id, role, email)
    async with services.owner.transaction() as session:
        link = open_session(
            session, user_id=user.id, tenant_id=tenant.id, audience="tenant", now=services.clock()
        )
    principal = Principal("user", user.id, tenant.id, ROLE_SCOPES[role], role.value, None, link.family_id)
    return TenantContext(services, REQUEST, principal, await services.tenants.find(tenant.id))


def as_key(context: TenantContext, key: ApiKey) -> TenantContext:
    scopes = frozenset(Scope(scope) for scope in key.scopes)
    principal = Principal("api_key", key.id, key.tenant_id, scopes, None, None)
    return replace(context, principal=principal)


def family(context: TenantContext) -> UUID:
    found = context.signed_in().session_id
    assert found is not None
    return found


@pytest.fixture
async def owner_of(services: Services, tenant: Tenant) -> TenantContext:
    return await signed_in(services, tenant, Role.OWNER, "owner@example.com")


@pytest.fixture
async def admin(services: Services, tenant: Tenant) -> TenantContext:
    return await signed_in(services, tenant, Role.ADMIN, "admin@example.com")


async def test_a_session_that_has_ended_is_not_switched_back_to_life(
    services: Services, admin: TenantContext, tenant: Tenant
) -> None:
    async with services.owner.transaction() as session:
        await end_family(session, family(admin), services.clock())

    with pytest.raises(NotSignedIn):
        await sessions.switch_tenant(admin, tenant.id)

    async with services.owner.reading() as session:
        assert (
            await session.scalars(select(RefreshToken).where(RefreshToken.revoked_at.is_(None)))
        ).all() == []


async def test_a_token_made_while_all_sessions_end_ends_with_them(
    services: Services, admin: TenantContext
) -> None:
    now, user_id = services.clock(), admin.signed_in().id
    async with services.owner.transaction() as session:
        link = open_session(session, user_id=user_id, tenant_id=None, audience="tenant", now=now)
    is_made = asyncio.Event()

    async def use() -> None:
        async with services.owner.transaction() as session:
            await refresh(session, link.text, "tenant", now)
            await session.flush()
            is_made.set()
            await blocked(session)

    async def end() -> None:
        await is_made.wait()
        async with services.owner.transaction() as session:
            await end_all_sessions(session, user_id, now)

    await asyncio.gather(use(), end())

    async with services.owner.reading() as session:
        assert (
            await session.scalars(select(RefreshToken).where(RefreshToken.revoked_at.is_(None)))
        ).all() == []


async def blocked(session: OwnerSession) -> None:
    """Return once another transaction of this database waits for a lock."""
    waits = text(
        "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE NOT granted AND datname = current_database())"
    )
    async with asyncio.timeout(PATIENCE_S):
        while not await session.scalar(waits):
            pass


@pytest.mark.usefixtures("admin")
async def test_a_sign_in_by_the_old_password_does_not_outlive_it(services: Services) -> None:
    user = await user_by_password(services.owner, "admin@example.com", PASSWORD)
    async with services.owner.transaction() as session:
        session.add(
            token := MailToken(
                user_id=user.id, purpose="reset_password", expires_at=services.clock() + timedelta(hours=1)
            )
        )
        await session.flush()
        made = await links.make_link(session, token.id, services.clock())
        assert made is not None
        await links.replace_password(
            session, made[2], await hashed("another long password"), services.clock()
        )

    async with services.owner.transaction() as session:
        with pytest.raises(WrongCredentials):
            await begin_session(session, user, audience="tenant", now=services.clock())


async def test_who_lost_the_role_signs_in_to_no_business(
    services: Services, owner_of: TenantContext, admin: TenantContext, tenant: Tenant
) -> None:
    async with services.owner.transaction() as session:
        await session.execute(update(User).values(last_tenant_id=tenant.id))
    before = await sessions.sign_in(admin, "admin@example.com", PASSWORD)
    await members.remove_member(owner_of, admin.signed_in().id, REASON)

    after = await sessions.sign_in(admin, "admin@example.com", PASSWORD)

    assert (before.tenant_id, after.tenant_id) == (tenant.id, None)


async def test_who_was_made_less_does_not_make_themselves_more_again(
    services: Services, owner_of: TenantContext, admin: TenantContext
) -> None:
    me = admin.signed_in().id
    await members.change_member_role(owner_of, me, Role.VIEWER, REASON)

    with pytest.raises(ScopeTooWide):
        await members.change_member_role(admin, me, Role.ADMIN, REASON)
    with pytest.raises(ScopeTooWide):
        await members.invite_member(admin, "another.of.mine@example.com", Role.ADMIN)
    with pytest.raises(ScopeTooWide):
        await api_keys.create_api_key(admin, "Mine", {Scope.CHANNELS_WRITE}, None)

    async with services.owner.reading() as session:
        assert await session.scalar(select(Membership.role).where(Membership.user_id == me)) == "viewer"


async def test_who_was_removed_leaves_nothing_behind(
    services: Services, owner_of: TenantContext, admin: TenantContext
) -> None:
    await members.remove_member(owner_of, admin.signed_in().id, REASON)

    with pytest.raises(NotSignedIn):
        await api_keys.create_api_key(admin, "Mine", {Scope.PAYMENTS_READ}, None)
    with pytest.raises(NotSignedIn):
        await members.invite_member(admin, "another.of.mine@example.com", Role.VIEWER)
    with pytest.raises(NotSignedIn):
        await members.remove_member(admin, owner_of.signed_in().id, REASON)
    with pytest.raises(NotSignedIn):
        await members.change_member_role(admin, owner_of.signed_in().id, Role.VIEWER, REASON)

    async with services.owner.reading() as session:
        assert (await session.scalars(select(ApiKey.id))).all() == []
        assert (await session.scalars(select(Invitation.id))).all() == []


async def test_keys_end_with_who_made_them(
    services: Services, owner_of: TenantContext, admin: TenantContext
) -> None:
    wide = {Scope.KEYS_WRITE, Scope.PAYMENTS_READ}
    first, _ = await api_keys.create_api_key(admin, "First", wide, None)
    second, _ = await api_keys.create_api_key(as_key(admin, first), "Second", {Scope.PAYMENTS_READ}, None)
    of_another, _ = await api_keys.create_api_key(owner_of, "Another's", wide, None)

    await members.remove_member(owner_of, admin.signed_in().id, REASON)

    assert await live(services) == {of_another.id}
    with pytest.raises(NotSignedIn):
        await api_keys.create_api_key(as_key(admin, first), "Third", {Scope.PAYMENTS_READ}, None)
    assert second.id not in await live(services)


async def test_keys_that_may_do_more_than_a_new_role_end(
    services: Services, owner_of: TenantContext, admin: TenantContext
) -> None:
    kept, _ = await api_keys.create_api_key(admin, "Reads", {Scope.PAYMENTS_READ}, None)
    await api_keys.create_api_key(admin, "Writes", {Scope.PAYMENTS_READ, Scope.CHANNELS_WRITE}, None)

    await members.change_member_role(owner_of, admin.signed_in().id, Role.VIEWER, REASON)

    assert await live(services) == {kept.id}


async def test_a_revoked_key_takes_those_it_made_along(services: Services, owner_of: TenantContext) -> None:
    wide = {Scope.KEYS_WRITE, Scope.PAYMENTS_READ}
    first, _ = await api_keys.create_api_key(owner_of, "First", wide, None)
    second, _ = await api_keys.create_api_key(as_key(owner_of, first), "Second", wide, None)
    await api_keys.create_api_key(as_key(owner_of, second), "Third", wide, None)

    await api_keys.revoke_api_key(owner_of, first.id, REASON)

    assert await live(services) == set()


async def live(services: Services) -> set[UUID]:
    async with services.owner.reading() as session:
        return set(await session.scalars(select(ApiKey.id).where(ApiKey.revoked_at.is_(None))))


async def test_a_session_of_nobody_is_refused(services: Services) -> None:
    async with services.owner.transaction() as session:
        await end_family(session, new_id(), services.clock())
        with pytest.raises(SessionEnded):
            await refresh(session, "hzr_nobody", "tenant", services.clock())
