"""Links to files: they serve who asked, for some minutes, and nothing else serves as one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette

from core.ids import Kind, new_id, outside
from core.tenant import TenantStatus
from owner_db.tenants.models import Tenant as TenantRow
from owner_db.users import api_keys
from owner_db.users.models import ApiKey, Membership
from owner_db.users.sessions import end_all_sessions, open_session
from resolvers.exports import link_export
from server.downloads import UNKNOWN_PER_MINUTE_MAX, Downloads
from tenancy.columns import AuditColumns
from tenancy.context import Principal, Services, TenantContext
from tenancy.errors import NotSignedIn
from tenancy.links import LINK_LIFE
from tenancy.roles import ROLE_SCOPES, Role, Scope
from tenancy.sessions import Tenant
from tenancy.shapes import model_of
from tenancy.tokens import Claims, new_api_key
from tenant_db.exports.models import Export
from tenant_db.exports.rules import KEPT, ExportFormat, ExportKind
from tenant_db.exports.sources import Subject
from tests.factories.callers import REQUEST
from tests.factories.exports import export_of, file_of, make, new_export, order, sell
from tests.factories.journey_parts import MovingClock
from tests.factories.stores import make_store
from tests.factories.users import make_member
from tests.sandbox import serving


@dataclass(slots=True)
class Site:
    """A server of files, and the business that has one."""

    services: Services
    tenant: Tenant
    url: str
    clock: MovingClock
    export: Export

    async def fetch(self, url: str, method: str = "GET") -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as http:
            return await http.request(method, url)

    async def link(self, context: TenantContext) -> str:
        url, _ = await link_export(context, self.export.id)
        return url

    async def member(self, role: Role = Role.VIEWER) -> TenantContext:
        """Somebody who is signed in."""
        user = await make_member(self.services.owner, self.tenant.id, role, f"{new_id()}@example.com")
        async with self.services.owner.transaction() as session:
            opened = open_session(
                session, user_id=user.id, tenant_id=self.tenant.id, audience="tenant", now=self.clock()
            )
        principal = Principal(
            "user", user.id, self.tenant.id, ROLE_SCOPES[role], role.value, None, opened.family_id
        )
        return await self._context(principal)

    async def key(self, *scopes: Scope) -> TenantContext:
        """A program with an API key."""
        async with self.services.owner.transaction() as session:
            key, _ = await api_keys.create_api_key(
                session,
                tenant_id=self.tenant.id,
                name="books",
                scopes=set(scopes),
                granter_scopes=set(Scope),
                created_by=new_id(),
                environment="sandbox",
                expires_at=None,
            )
        return await self._context(
            Principal("api_key", key.id, self.tenant.id, frozenset(scopes), None, None)
        )

    async def _context(self, principal: Principal) -> TenantContext:
        return TenantContext(
            self.services, REQUEST, principal, await self.services.tenants.find(self.tenant.id)
        )

    async def acts(self) -> list[tuple[str, str | None]]:
        async with self.tenant.reading() as session:
            model = model_of(session, AuditColumns)
            rows = await session.scalars(select(model).order_by(model.id))
            return [(row.action, row.subject) for row in rows]


@pytest.fixture
async def site(services: Services, tenant: Tenant) -> AsyncIterator[Site]:
    clock = MovingClock()
    services.clock = clock
    store = await make_store(tenant)
    await sell(tenant, store.id, 3)
    export = await order(tenant, new_export(Subject(store_id=store.id)))
    await make(services, tenant, export)
    async with serving(Starlette(routes=Downloads(services).routes())) as url:
        services.policy = type(services.policy)(public_url=url)
        yield Site(services, tenant, url, clock, await export_of(tenant, export.id))


async def test_a_link_gives_the_file_without_a_token(site: Site) -> None:
    answer = await site.fetch(await site.link(await site.member()))

    assert answer.status_code == 200
    assert answer.content == await file_of(site.tenant, site.export.id)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{site.export.file_name}"'
    assert answer.headers["content-length"] == str(site.export.size_bytes)
    assert answer.headers["cache-control"] == "no-store"


async def test_who_asks_for_a_link_and_who_follows_it_is_written_down(site: Site) -> None:
    url = await site.link(await site.member())
    assert (await site.fetch(url, "HEAD")).status_code == 405
    await site.fetch(url)

    subject = outside(Kind.EXPORT, site.export.id)
    assert await site.acts() == [("link_export", subject), ("download_export", subject)]


async def test_a_pdf_comes_as_one(site: Site) -> None:
    export = await order(
        site.tenant, new_export(Subject(store_id=site.export.store_id), format=ExportFormat.PDF)
    )
    await make(site.services, site.tenant, export)
    site.export = await export_of(site.tenant, export.id)

    answer = await site.fetch(await site.link(await site.key(Scope.LEDGER_READ)))

    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")


async def test_a_link_works_for_some_minutes(site: Site) -> None:
    url = await site.link(await site.member())
    site.clock.ahead += LINK_LIFE - timedelta(seconds=30)
    early = await site.fetch(url)
    site.clock.ahead += timedelta(seconds=31)

    late = await site.fetch(url)

    assert (early.status_code, late.status_code) == (200, 410)
    assert "expired" in late.text


async def test_a_file_whose_time_is_over_is_gone(site: Site) -> None:
    site.clock.ahead += KEPT - timedelta(minutes=1)
    url = await site.link(await site.member())
    site.clock.ahead += timedelta(minutes=2)

    assert (await site.fetch(url)).status_code == 410


async def test_a_link_ends_with_the_session_it_was_made_in(site: Site) -> None:
    context = await site.member()
    url = await site.link(context)
    async with site.services.owner.transaction() as session:
        await end_all_sessions(session, context.signed_in().id, site.clock())

    assert (await site.fetch(url)).status_code == 404


async def test_a_link_ends_with_the_role_that_could_read_the_books(site: Site) -> None:
    context = await site.member(Role.VIEWER)
    url = await site.link(context)
    await set_role(site, context, Role.CASHIER)

    assert (await site.fetch(url)).status_code == 404


async def set_role(site: Site, context: TenantContext, role: Role) -> None:
    async with site.services.owner.transaction() as session:
        membership = await session.scalar(
            select(Membership).where(Membership.user_id == context.signed_in().id)
        )
        assert membership is not None
        membership.role = role.value


async def test_a_link_ends_with_the_key_it_was_made_with(site: Site) -> None:
    context = await site.key(Scope.LEDGER_READ)
    url = await site.link(context)
    assert (await site.fetch(url)).status_code == 200
    async with site.services.owner.transaction() as session:
        key = await session.get_one(ApiKey, context.signed_in().id)
        key.revoked_at = site.clock()

    assert (await site.fetch(url)).status_code == 404


async def test_a_link_is_no_access_token_and_an_access_token_no_link(site: Site) -> None:
    context = await site.member()
    principal = context.signed_in()
    assert principal.session_id is not None
    claims = Claims(
        principal.id, site.tenant.id, principal.session_id, "tenant", site.clock() + timedelta(minutes=5)
    )
    access = await site.services.tokens.issue(claims)
    link = (await site.link(context)).rpartition("/")[2]

    for audience in ("tenant", "owner"):
        with pytest.raises(NotSignedIn):
            await site.services.tokens.verify(link, audience)
    for text in (access.text, new_api_key("sandbox", new_id()).text, "eyJ.eyJ.x", link[:-4] + "AAAA"):
        assert (await site.fetch(f"{site.url}/exports/{text}")).status_code == 404


async def test_a_link_of_one_business_finds_nothing_in_another(site: Site, second_tenant: Tenant) -> None:
    context = await site.member()
    changed: dict[str, Any] = {"tenant": outside(Kind.TENANT, second_tenant.id)}
    body = {
        "aud": "export",
        "sub": outside(Kind.USER, context.signed_in().id),
        "sid": str(context.signed_in().session_id),
        "export": outside(Kind.EXPORT, site.export.id),
        "exp": site.clock() + timedelta(minutes=5),
    }
    own = await site.services.tokens.sign_statement(
        "x", body | {"tenant": outside(Kind.TENANT, site.tenant.id)}
    )
    foreign = await site.services.tokens.sign_statement("x", body | changed)

    assert (await site.fetch(f"{site.url}/exports/{own}")).status_code == 200
    assert (await site.fetch(f"{site.url}/exports/{foreign}")).status_code == 404


async def test_a_key_of_one_business_opens_no_file_of_another(site: Site, second_tenant: Tenant) -> None:
    export = await order(second_tenant, new_export(Subject(), ExportKind.TRANSACTIONS))
    await make(site.services, second_tenant, export)
    context = await site.key(Scope.LEDGER_READ)
    body = {
        "aud": "export",
        "sub": outside(Kind.API_KEY, context.signed_in().id),
        "tenant": outside(Kind.TENANT, second_tenant.id),
        "export": outside(Kind.EXPORT, export.id),
        "exp": site.clock() + timedelta(minutes=5),
    }

    link = await site.services.tokens.sign_statement("export+jwt", body)

    assert (await site.fetch(f"{site.url}/exports/{link}")).status_code == 404


async def test_a_suspended_business_gives_no_file(site: Site) -> None:
    url = await site.link(await site.member())
    async with site.services.owner.transaction() as session:
        row = await session.get_one(TenantRow, site.tenant.id)
        row.status = TenantStatus.SUSPENDED.value
    await site.services.tenants.directory.find_now(site.tenant.id)

    assert (await site.fetch(url)).status_code == 503


async def test_guesses_are_limited_and_links_are_not(site: Site) -> None:
    for _ in range(UNKNOWN_PER_MINUTE_MAX):
        assert (await site.fetch(f"{site.url}/exports/guess")).status_code == 404

    guessed = await site.fetch(f"{site.url}/exports/guess")

    assert guessed.status_code == 429
    assert int(guessed.headers["retry-after"]) >= 1
    assert (await site.fetch(await site.link(await site.member()))).status_code == 200
