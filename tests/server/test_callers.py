"""Who calls, and what becomes of a request that names another tenant than its token."""

from contextlib import suppress
from ipaddress import IPv4Network

import pytest
from sqlalchemy import select
from starlette.requests import HTTPConnection

from core.ids import Kind, new_id, outside
from owner_db.audit.models import OwnerAudit
from owner_db.tenants.suspending import suspend
from owner_db.users.models import User
from owner_db.users.principals import OwnerPrincipals
from owner_db.users.sessions import open_session
from schema.budgets import UNPROVEN
from server.callers import GUESS_COST, Callers, bearer_of
from server.settings import Settings
from tenancy.audit import OPERATOR
from tenancy.context import Services
from tenancy.errors import Forbidden, NotSignedIn, RateLimited, TenantSuspended, WrongTenant
from tenancy.roles import Role
from tenancy.sessions import OwnerDatabase, Tenant
from tenancy.tokens import ACCESS_TOKEN_LIFE, Authenticator, Claims
from tests.factories.users import make_member


def callers_of(services: Services, **settings: object) -> Callers:
    principals = OwnerPrincipals(services.owner, services.clock)
    authenticator = Authenticator(services.tokens, principals, services.clock)
    return Callers(services, authenticator, Settings().model_copy(update=settings))


def connection(host: str = "127.0.0.1", ip: str = "127.0.0.1", **headers: str) -> HTTPConnection:
    named = [(b"host", host.encode())]
    named += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection(
        {
            "type": "http",
            "path": "/graphql",
            "query_string": b"",
            "headers": named,
            "client": (ip, 1),
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "state": {"request_id": "r1"},
        }
    )


async def bearer(services: Services, user: User, tenant: Tenant, audience: str = "tenant") -> str:
    now = services.clock()
    async with services.owner.transaction() as session:
        link = open_session(session, user_id=user.id, tenant_id=tenant.id, audience=audience, now=now)
    claims = Claims(user.id, tenant.id, link.family_id, audience, now + ACCESS_TOKEN_LIFE)
    return f"Bearer {(await services.tokens.issue(claims)).text}"


@pytest.fixture
async def member(services: Services, tenant: Tenant) -> User:
    return await make_member(services.owner, tenant.id, Role.CASHIER)


async def test_a_token_leads_to_its_own_tenant(services: Services, member: User, tenant: Tenant) -> None:
    context = await callers_of(services).tenant_context(connection(), await bearer(services, member, tenant))

    assert context.tenant.id == tenant.id
    assert (context.signed_in().id, context.request.id) == (member.id, "r1")


async def test_a_header_that_names_another_tenant_is_refused_and_audited(
    services: Services, owner: OwnerDatabase, member: User, tenant: Tenant
) -> None:
    callers, token = callers_of(services), await bearer(services, member, tenant)
    named = outside(Kind.TENANT, tenant.id)
    assert (await callers.tenant_context(connection(x_tenant_id=named), token)).tenant.id == tenant.id

    for other in (outside(Kind.TENANT, new_id()), "nonsense"):
        with pytest.raises(WrongTenant):
            await callers.tenant_context(connection(x_tenant_id=other), token)

    async with owner.reading() as session:
        rows = (await session.scalars(select(OwnerAudit))).all()
    assert [(row.action, row.actor_id) for row in rows] == [("name_wrong_tenant", member.id)] * 2


async def test_a_subdomain_of_another_tenant_is_refused(
    services: Services, member: User, tenant: Tenant
) -> None:
    callers = callers_of(services, tenant_domain="pay.example.com")
    token = await bearer(services, member, tenant)

    own = connection(f"{tenant.ref.slug}.pay.example.com")
    assert (await callers.tenant_context(own, token)).tenant.id == tenant.id
    with pytest.raises(WrongTenant):
        await callers.tenant_context(connection("other.pay.example.com"), token)
    assert (await callers.tenant_context(connection("pay.example.com"), token)).tenant.id == tenant.id


async def test_nobody_can_guess_many_keys(services: Services, member: User, tenant: Tenant) -> None:
    callers = callers_of(services)
    guesses = UNPROVEN.capacity // GUESS_COST
    with pytest.raises(RateLimited):
        for number in range(2 * guesses):
            with suppress(NotSignedIn):
                await callers.tenant_context(connection(), f"Bearer guess-{number}")

    with pytest.raises(NotSignedIn):
        await callers.tenant_context(connection(ip="192.0.2.9"), "Bearer guess")
    token = await bearer(services, member, tenant)
    assert (await callers.tenant_context(connection(), token)).tenant.id == tenant.id


async def test_staff_call_from_allowed_networks_alone(
    services: Services, member: User, tenant: Tenant
) -> None:
    callers = callers_of(services, owner_networks=[IPv4Network("127.0.0.0/8")])

    assert (await callers.owner_context(connection(), None)).principal is None
    for ip in ("192.0.2.1", ""):
        with pytest.raises(Forbidden):
            await callers.owner_context(connection(ip=ip), None)
    with pytest.raises(NotSignedIn, match="staff"):
        await callers.owner_context(connection(), await bearer(services, member, tenant, "owner"))


async def test_without_a_token_nobody_calls(services: Services) -> None:
    context = await callers_of(services).tenant_context(connection(), None)

    assert context.principal is None
    with pytest.raises(NotSignedIn):
        _ = context.tenant


async def test_a_tenant_that_is_not_served_is_refused_where_it_is_used(
    services: Services, member: User, tenant: Tenant
) -> None:
    token = await bearer(services, member, tenant)
    await suspend(
        services.owner, tenant.id, actor=OPERATOR, reason="a test", invalidate=services.tenant_changed
    )

    context = await callers_of(services).tenant_context(connection(), token)

    assert context.signed_in().id == member.id
    with pytest.raises(TenantSuspended):
        _ = context.tenant


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer  ", "token"])
def test_another_scheme_than_bearer_is_refused(header: str) -> None:
    with pytest.raises(NotSignedIn):
        bearer_of(header)


@pytest.mark.parametrize(("header", "credential"), [(None, None), ("", None), ("bearer a.b", "a.b")])
def test_a_bearer_is_read(header: str | None, credential: str | None) -> None:
    assert bearer_of(header) == credential


async def test_wrong_names_do_not_fill_the_audit_log(
    services: Services, owner: OwnerDatabase, member: User, tenant: Tenant
) -> None:
    callers, token = callers_of(services), await bearer(services, member, tenant)
    tries = 2 * UNPROVEN.capacity // GUESS_COST
    limited = 0
    for _ in range(tries):
        try:
            await callers.tenant_context(connection(x_tenant_id="ten_wrong"), token)
        except RateLimited:
            limited += 1
        except WrongTenant:
            continue

    async with owner.reading() as session:
        rows = (await session.scalars(select(OwnerAudit.id))).all()
    assert limited > 0
    assert len(rows) == tries - limited
