import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from core.errors import InvalidInput, NotFound
from core.ids import new_id
from owner_db.outbox.models import OwnerOutbox
from owner_db.users import api_keys, links
from owner_db.users.errors import (
    EmailTaken,
    LinkInvalid,
    ScopeTooWide,
    SessionEnded,
    WeakPassword,
    WrongCredentials,
)
from owner_db.users.models import MailToken, User
from owner_db.users.passwords import hashed, require_strong
from owner_db.users.principals import OwnerPrincipals
from owner_db.users.sessions import OpenSession, end_all_sessions, end_family, open_session, refresh
from owner_db.users.signing_in import new_account, normalised_email, user_by_password
from tenancy.errors import NotSignedIn
from tenancy.roles import Role, Scope
from tenancy.sessions import OwnerDatabase
from tenancy.tokens import Claims
from tests.factories.users import PASSWORD, make_member, make_tenant_row, make_user

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


async def start(owner: OwnerDatabase, user_id: UUID, tenant_id: UUID | None = None) -> OpenSession:
    async with owner.transaction() as session:
        return open_session(session, user_id=user_id, tenant_id=tenant_id, audience="tenant", now=NOW)


async def use(owner: OwnerDatabase, text: str, at: datetime = NOW) -> OpenSession | None:
    async with owner.transaction() as session:
        return await refresh(session, text, "tenant", at)


def claims(user: User, link: OpenSession, tenant_id: UUID | None, audience: str = "tenant") -> Claims:
    return Claims(user.id, tenant_id, link.family_id, audience, NOW + timedelta(minutes=15))


async def test_a_user_signs_in_with_the_password_alone(owner: OwnerDatabase) -> None:
    user = await make_user(owner)

    assert (await user_by_password(owner, " Wanjiru@Example.com ", PASSWORD)).id == user.id
    for email, password in (("wanjiru@example.com", "wrong"), ("nobody@example.com", PASSWORD)):
        with pytest.raises(WrongCredentials):
            await user_by_password(owner, email, password)


async def test_a_disabled_user_does_not_sign_in(owner: OwnerDatabase) -> None:
    user = await make_user(owner)
    async with owner.transaction() as session:
        (await session.get_one(User, user.id)).disabled_at = NOW

    with pytest.raises(WrongCredentials):
        await user_by_password(owner, user.email, PASSWORD)


async def test_an_address_registers_once(owner: OwnerDatabase) -> None:
    await make_user(owner)

    with pytest.raises(EmailTaken):
        await make_user(owner)


@pytest.mark.parametrize("password", ["short", "x" * 257, "aaaaaaaaaaaa", "wanjiru@example.com"])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(WeakPassword):
        require_strong(password, "wanjiru@example.com")


@pytest.mark.parametrize("email", ["", "no-at-sign", "a@b@c", "x" * 400 + "@example.com"])
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(InvalidInput):
        normalised_email(email)


async def test_a_name_is_asked_for() -> None:
    with pytest.raises(InvalidInput, match="1 to 200"):
        await new_account(" ", PASSWORD)


async def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_family(owner: OwnerDatabase) -> None:
    user = await make_user(owner)
    first = await start(owner, user.id)

    second = await use(owner, first.text)
    assert second is not None
    assert second.family_id == first.family_id

    stolen = await use(owner, first.text, NOW + timedelta(minutes=1))
    assert stolen is None
    with pytest.raises(SessionEnded):
        await use(owner, second.text, NOW + timedelta(minutes=2))


async def test_two_tabs_may_refresh_at_the_same_moment(owner: OwnerDatabase) -> None:
    user = await make_user(owner)
    link = await start(owner, user.id)

    both = await asyncio.gather(use(owner, link.text), use(owner, link.text, NOW + timedelta(seconds=2)))

    assert all(next_link is not None for next_link in both)


@pytest.mark.parametrize("text", ["", "hzr_unknown"])
async def test_an_unknown_refresh_token_is_refused(owner: OwnerDatabase, text: str) -> None:
    with pytest.raises(SessionEnded):
        await use(owner, text)


async def test_a_refresh_token_ends_after_thirty_days_and_serves_one_schema(owner: OwnerDatabase) -> None:
    user = await make_user(owner)
    link = await start(owner, user.id)

    with pytest.raises(SessionEnded):
        await use(owner, link.text, NOW + timedelta(days=31))
    async with owner.transaction() as session:
        with pytest.raises(SessionEnded):
            await refresh(session, link.text, "owner", NOW)


async def test_signing_out_ends_access_too(owner: OwnerDatabase) -> None:
    user = await make_user(owner)
    link, other = await start(owner, user.id), await start(owner, user.id)
    principals = OwnerPrincipals(owner, lambda: NOW)
    assert (await principals.of_claims(claims(user, link, None))).id == user.id

    async with owner.transaction() as session:
        await end_family(session, link.family_id, NOW)
    with pytest.raises(NotSignedIn):
        await principals.of_claims(claims(user, link, None))
    assert (await principals.of_claims(claims(user, other, None))).id == user.id

    async with owner.transaction() as session:
        await end_all_sessions(session, user.id, NOW)
    with pytest.raises(NotSignedIn):
        await principals.of_claims(claims(user, other, None))


async def test_a_role_is_looked_up_and_not_believed(owner: OwnerDatabase) -> None:
    tenant_id = await make_tenant_row(owner)
    user = await make_member(owner, tenant_id, Role.CASHIER)
    link = await start(owner, user.id, tenant_id)
    principals = OwnerPrincipals(owner, lambda: NOW)

    principal = await principals.of_claims(claims(user, link, tenant_id))
    assert Scope.PAYMENTS_WRITE in principal.scopes
    assert Scope.CHANNELS_WRITE not in principal.scopes
    with pytest.raises(NotSignedIn):
        await principals.of_claims(claims(user, link, await make_tenant_row(owner)))


async def test_staff_of_the_platform_alone_reach_the_owner_schema(owner: OwnerDatabase) -> None:
    user = await make_user(owner)
    link = await start(owner, user.id)
    principals = OwnerPrincipals(owner, lambda: NOW)
    with pytest.raises(NotSignedIn, match="staff"):
        await principals.of_claims(claims(user, link, None, "owner"))

    async with owner.transaction() as session:
        (await session.get_one(User, user.id)).platform_role = "platform_support"
    principal = await principals.of_claims(claims(user, link, None, "owner"))

    assert (principal.kind, principal.scopes) == ("staff", frozenset({Scope.PLATFORM_READ}))


async def test_a_key_works_until_it_is_revoked_or_expires(owner: OwnerDatabase) -> None:
    tenant_id = await make_tenant_row(owner)
    async with owner.transaction() as session:
        key, secret = await api_keys.create_api_key(
            session,
            tenant_id=tenant_id,
            name="Till",
            scopes={Scope.PAYMENTS_WRITE},
            granter_scopes={Scope.PAYMENTS_WRITE},
            created_by=new_id(),
            environment="sandbox",
            expires_at=NOW + timedelta(days=1),
        )
    assert secret.text.startswith("hz_sandbox_")

    principal = await OwnerPrincipals(owner, lambda: NOW).of_api_key(key.id, secret.secret_hash)
    assert (principal.tenant_id, principal.scopes) == (tenant_id, frozenset({Scope.PAYMENTS_WRITE}))

    with pytest.raises(NotSignedIn, match="expired"):
        await OwnerPrincipals(owner, lambda: NOW + timedelta(days=2)).of_api_key(key.id, secret.secret_hash)
    with pytest.raises(NotSignedIn):
        await OwnerPrincipals(owner, lambda: NOW).of_api_key(key.id, b"another")
    async with owner.transaction() as session:
        with pytest.raises(NotFound):
            await api_keys.revoke_api_key(session, key.id, new_id(), NOW)
        await api_keys.revoke_api_key(session, key.id, tenant_id, NOW)
    with pytest.raises(NotSignedIn, match="revoked"):
        await OwnerPrincipals(owner, lambda: NOW).of_api_key(key.id, secret.secret_hash)


@pytest.mark.parametrize(
    ("name", "scopes", "refusal"),
    [
        (" ", {Scope.PAYMENTS_READ}, InvalidInput),
        ("Till", set(), InvalidInput),
        ("Till", {Scope.KEYS_WRITE}, ScopeTooWide),
    ],
)
async def test_a_key_may_do_no_more_than_its_maker(
    owner: OwnerDatabase, name: str, scopes: set[Scope], refusal: type[Exception]
) -> None:
    tenant_id = await make_tenant_row(owner)
    async with owner.transaction() as session:
        with pytest.raises(refusal):
            await api_keys.create_api_key(
                session,
                tenant_id=tenant_id,
                name=name,
                scopes=scopes,
                granter_scopes={Scope.PAYMENTS_READ},
                created_by=new_id(),
                environment="sandbox",
                expires_at=None,
            )


async def mailed(owner: OwnerDatabase, user: User, purpose: str) -> tuple[UUID, str]:
    async with owner.transaction() as session:
        await links.ask_for_link(session, user.id, purpose, NOW)
    async with owner.transaction() as session:
        token_id = await session.scalar(select(MailToken.id).order_by(MailToken.id.desc()).limit(1))
        assert token_id is not None
        made = await links.make_link(session, token_id, NOW)
        assert made is not None
        return token_id, made[2]


async def test_a_link_proves_the_address_once(owner: OwnerDatabase) -> None:
    user = await make_user(owner)
    token_id, secret = await mailed(owner, user, "verify_email")

    async with owner.transaction() as session:
        assert (await links.confirm_email(session, secret, NOW)).email_verified_at == NOW
    async with owner.transaction() as session:
        with pytest.raises(LinkInvalid):
            await links.confirm_email(session, secret, NOW)
        assert await links.make_link(session, token_id, NOW) is None
        jobs = await session.scalars(select(OwnerOutbox.kind))
        assert jobs.all() == ["send_link"]


async def test_a_new_password_ends_every_session_and_other_link(owner: OwnerDatabase) -> None:
    user = await make_user(owner)
    link = await start(owner, user.id)
    _, older = await mailed(owner, user, "reset_password")
    _, secret = await mailed(owner, user, "reset_password")
    new_hash = await hashed("another good long password")

    async with owner.transaction() as session:
        await links.replace_password(session, secret, new_hash, NOW)

    assert (await user_by_password(owner, user.email, "another good long password")).id == user.id
    with pytest.raises(SessionEnded):
        await use(owner, link.text)
    async with owner.transaction() as session:
        with pytest.raises(LinkInvalid):
            await links.replace_password(session, older, new_hash, NOW)


async def test_a_link_is_too_old_after_its_time_and_serves_one_purpose(owner: OwnerDatabase) -> None:
    user = await make_user(owner)
    _, secret = await mailed(owner, user, "reset_password")

    async with owner.transaction() as session:
        with pytest.raises(LinkInvalid):
            await links.use_link(session, secret, "reset_password", NOW + timedelta(hours=2))
        with pytest.raises(LinkInvalid):
            await links.use_link(session, secret, "verify_email", NOW)
