"""The page of an order: for whoever has the link, and as little for everybody else as can be."""

import base64
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

import httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from core.clock import utc_now
from core.ids import Kind, new_id, outside
from core.tenant import TenantStatus
from owner_db.tenants.models import Tenant as TenantRow
from owner_db.users.principals import OwnerPrincipals
from schema.trusting import require_runnable
from server.callers import Callers
from server.middleware import Edge, protected
from server.pay import UNKNOWN_PER_MINUTE_MAX, PayPages
from server.pay_documents import TRUSTED
from server.pay_page import BYTES_MAX
from server.settings import Settings
from tenancy.checkout_tokens import BEARER_PREFIX, CheckoutToken
from tenancy.context import PAYER, Services
from tenancy.errors import NotSignedIn, WrongTenant
from tenancy.sessions import Tenant
from tenancy.tokens import Authenticator
from tenant_db.audit.models import TenantAudit
from tenant_db.orders.ending import cancel_order
from tenant_db.orders.models import Order
from tenant_db.orders.rules import ITEM_NAME_CHARACTERS_MAX, ITEMS_MAX, NewItem
from tests.factories.callers import ask, caller, next_data, operations, payer, watching
from tests.factories.orders import attempt, make_order, settle
from tests.factories.payments import make_shop

NASTY = "</script><script>alert(1)</script>\" onload='x' {{content}} & Co"
DAY = timedelta(days=1)
WATCH = "subscription { checkoutUpdated { status } }"
REVOKE = """mutation ($id: ID!) { revokePayLink(input: {orderId: $id}) {
  ... on RevokePayLinkSuccess { order { status paymentLink } } } }"""


@dataclass(slots=True)
class Site:
    """A server of pages, and an order of a business."""

    services: Services
    tenant: Tenant
    http: httpx.AsyncClient
    order: Order

    def token(self, **changes: object) -> CheckoutToken:
        given = {
            "tenant_id": self.tenant.id,
            "order_id": self.order.id,
            "expires_at": utc_now() + DAY,
            "key": self.order.link_key,
            **changes,
        }
        return CheckoutToken.written(**given)  # type: ignore[arg-type]  # the names are checked when called

    async def open(self, token: object) -> httpx.Response:
        return await self.http.get(f"http://pay.test/pay/{token}")


def connection(tenant: str | None = None) -> HTTPConnection:
    headers = [] if tenant is None else [(b"x-tenant-id", tenant.encode())]
    return HTTPConnection({"type": "http", "path": "/", "headers": headers, "client": ("127.0.0.1", 1)})


@pytest.fixture
async def site(services: Services, tenant: Tenant) -> AsyncIterator[Site]:
    shop = await make_shop(tenant)
    items = [NewItem(NASTY, 2, 75_000)]
    order = await make_order(tenant, shop, description=NASTY, items=items)
    pages = protected(Starlette(routes=PayPages(services, operations()).routes()), Edge())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(pages)) as http:
        yield Site(services, tenant, http, order)


async def test_a_page_shows_the_order_and_loads_nothing(site: Site) -> None:
    answer = await site.open(site.token())

    assert answer.status_code == 200
    page = answer.text
    assert "KES\N{NO-BREAK SPACE}1,500.00" in page
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search(r"(src|action|poster|srcset)=", page.partition("<body>")[2].partition("<script>")[0])
    assert re.findall(r"href=\"([^\"]+)\"", page.partition("<script>")[0]) == ["data:,"]
    assert len(answer.content) <= BYTES_MAX
    policy = answer.headers["content-security-policy"]
    for tag in ("script", "style"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert f"'sha256-{base64.b64encode(sha256(inline.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


async def test_the_longest_order_fits_the_page(site: Site) -> None:
    shop = await make_shop(site.tenant, short_code="600100")
    items = [NewItem("x" * ITEM_NAME_CHARACTERS_MAX, 1_000, 123_456)] * ITEMS_MAX
    site.order = await make_order(site.tenant, shop, reference="long", items=items)

    answer = await site.open(site.token())

    assert answer.text.count("<td>") >= 2 * ITEMS_MAX
    assert len(answer.content) <= BYTES_MAX


async def test_a_paid_order_s_page_is_its_receipt(site: Site) -> None:
    shop = await make_shop(site.tenant, short_code="600100")
    site.order = await make_order(site.tenant, shop, reference="paid")
    await settle(site.tenant, await attempt(site.tenant, shop, site.order), "TKX0000001")

    answer = await site.open(site.token())

    assert "<h2>Paid. Thank you!</h2><p>Receipt TKX0000001</p>" in answer.text


async def test_every_link_that_leads_nowhere_is_answered_alike(site: Site, second_tenant: Tenant) -> None:
    other = await make_shop(second_tenant)
    theirs = await make_order(second_tenant, other)
    cancelled = await make_order(
        site.tenant, await make_shop(site.tenant, short_code="600100"), reference="x"
    )
    async with site.tenant.transaction() as session:
        await cancel_order(session, cancelled.id, utc_now())
    useless = {
        "no token": "x",
        "forged": site.token(key=b"guessed" * 5),
        "another business's order": site.token(order_id=theirs.id),
        "another business": site.token(tenant_id=second_tenant.id),
        "no business": site.token(tenant_id=new_id()),
        "no order": site.token(order_id=new_id()),
        "over": site.token(expires_at=utc_now() - DAY),
        "cancelled": site.token(order_id=cancelled.id, key=cancelled.link_key),
    }

    answers = {name: await site.open(token) for name, token in useless.items()}

    assert {answer.status_code for answer in answers.values()} == {404}
    assert len({answer.content for answer in answers.values()}) == 1
    assert "script-src" in answers["forged"].headers["content-security-policy"]


async def test_a_revoked_link_ends_at_once_and_a_new_one_opens(site: Site) -> None:
    old = site.token()
    owner = await caller(site.services, site.tenant)
    assert (await site.open(old)).status_code == 200, "and is believed for a while"

    async with watching(await payer(site.services, site.tenant, site.order.id), WATCH) as events:
        await next_data(events)
        order = (await ask(owner, REVOKE, id=outside(Kind.ORDER, site.order.id)))["revokePayLink"]["order"]
        told = (await anext(events)).body
    revoked = await site.open(old)
    opened = await site.http.get(
        order["paymentLink"].replace(site.services.policy.public_url, "http://pay.test")
    )

    assert revoked.status_code == 404
    assert "It is no longer valid" in revoked.text
    assert [error["extensions"]["code"] for error in told["errors"]] == ["NOT_SIGNED_IN"]
    assert (opened.status_code, order["status"]) == (200, "OPEN")
    async with site.tenant.reading() as session:
        assert await session.scalar(
            select(TenantAudit.subject).where(TenantAudit.action == "revoke_pay_link")
        )


async def test_the_page_of_a_suspended_business_leads_nowhere(site: Site) -> None:
    async with site.services.owner.transaction() as session:
        row = await session.get_one(TenantRow, site.tenant.id)
        row.status = TenantStatus.SUSPENDED.value

    assert (await site.open(site.token())).status_code == 404


async def test_nobody_can_try_many_links(site: Site) -> None:
    answers = [(await site.open("x")).status_code for _ in range(UNKNOWN_PER_MINUTE_MAX + 1)]

    assert answers == [404] * UNKNOWN_PER_MINUTE_MAX + [429]
    assert (await site.open(site.token())).status_code == 200


async def test_a_link_s_token_is_a_credential_of_the_tenant_schema_alone(
    site: Site, second_tenant: Tenant
) -> None:
    principals = OwnerPrincipals(site.services.owner, utc_now)
    callers = Callers(site.services, Authenticator(site.services.tokens, principals, utc_now), Settings())
    bearer = f"Bearer {BEARER_PREFIX}{site.token()}"

    context = await callers.tenant_context(connection(), bearer)

    assert context.principal is not None
    assert (context.principal.kind, context.principal.id, context.principal.scopes) == (
        PAYER,
        site.order.id,
        frozenset(),
    )
    with pytest.raises(NotSignedIn):
        context.signed_in()
    with pytest.raises(NotSignedIn):
        await callers.owner_context(connection(), bearer)
    with pytest.raises(NotSignedIn):
        await callers.tenant_context(connection(), f"{bearer[:-1]}")
    with pytest.raises(WrongTenant):
        await callers.tenant_context(connection(outside(Kind.TENANT, second_tenant.id)), bearer)


def test_the_page_s_own_operations_run_as_they_stand() -> None:
    for text in TRUSTED.values():
        require_runnable("tenant", text)
