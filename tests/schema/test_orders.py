"""Orders over the tenant schema, and the links to them."""

from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, select

from core.clock import utc_now
from core.ids import Kind, outside
from tenancy.checkout_tokens import CheckoutToken
from tenancy.context import Services, TenantContext
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.audit.models import TenantAudit
from tenant_db.orders.models import Order
from tenant_db.outbox.models import TenantOutbox
from tests.factories.callers import ask, caller, next_data, watching
from tests.factories.orders import attempt, make_order, settle
from tests.factories.payments import Shop, make_shop
from tests.racing import race

CREATE = """mutation ($input: CreateOrderInput!) { createOrder(input: $input) { __typename
  ... on CreateOrderSuccess { order { id reference status version total { amount } due { amount }
    items { name quantity unitPrice { amount } total { amount } } paymentLink store { name }
    payments { id } } }
  ... on Error { code message } ... on InvalidInputError { field } } }"""
CANCEL = """mutation ($id: ID!) { cancelOrder(input: {id: $id}) { __typename
  ... on CancelOrderSuccess { order { status version } } ... on Error { code } } }"""
LINK = """mutation ($id: ID!, $at: DateTime) { createPayLink(input: {orderId: $id, expiresAt: $at}) {
  __typename
  ... on CreatePayLinkSuccess { url expiresAt } ... on Error { code } } }"""
ORDER = """query ($id: ID!) { order(id: $id) { status paid { amountMinor } overpaid { amountMinor }
  refundStatus paymentLink payments { id status needsReview } } }"""
ORDERS = """query ($status: OrderStatus, $reference: String) {
  orders(first: 10, status: $status, reference: $reference) { nodes { reference } } }"""
WATCH = "subscription ($id: ID!) { orderUpdated(id: $id) { status version payments { status } } }"
INITIATE = """mutation ($input: InitiatePaymentInput!) { initiatePayment(input: $input) { __typename
  ... on InitiatePaymentSuccess { payment { id orderReference store { name } } }
  ... on AmountNotDueError { due { amountMinor } } ... on Error { code } } }"""


def wanted(shop: Shop, **changes: object) -> dict[str, object]:
    return {
        "idempotencyKey": "order-1042",
        "storeId": outside(Kind.STORE, shop.store_id),
        "currency": "KES",
        "items": [
            {"name": "Ugali", "quantity": 3, "unitPriceMinor": "40000"},
            {"name": "Chai", "quantity": 2, "unitPriceMinor": "15000"},
        ],
        "reference": "order-1042",
        **changes,
    }


async def created(context: TenantContext, shop: Shop, **changes: object) -> dict[str, Any]:
    answer: dict[str, Any] = (await ask(context, CREATE, input=wanted(shop, **changes)))["createOrder"]
    return answer


async def test_an_order_is_made_once_with_its_job_and_its_audit_row(
    services: Services, tenant: Tenant
) -> None:
    shop = await make_shop(tenant)
    cashier = await caller(services, tenant, Role.CASHIER)

    first, again = [await created(cashier, shop) for _ in range(2)]

    shown = first["order"]
    assert again == first
    assert (shown["status"], shown["total"], shown["due"]) == (
        "OPEN",
        {"amount": "1500.00"},
        {"amount": "1500.00"},
    )
    assert shown["items"][0] == {
        "name": "Ugali",
        "quantity": 3,
        "unitPrice": {"amount": "400.00"},
        "total": {"amount": "1200.00"},
    }
    assert (shown["store"], shown["payments"]) == ({"name": "Mama Njeri"}, [])
    async with tenant.reading() as session:
        job = (await session.scalars(select(TenantOutbox))).one()
        row = (await session.scalars(select(TenantAudit))).one()
        order = (await session.scalars(select(Order))).one()
    assert (job.kind, job.payload, job.next_attempt_at) == (
        "expire_order",
        {"order_id": str(order.id)},
        job.next_attempt_at,
    )
    assert abs(job.next_attempt_at - order.expires_at) < timedelta(seconds=5)
    assert (row.action, row.subject) == ("create_order", shown["id"])


async def test_refusals_say_what_is_wrong(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    await created(owner, shop)
    viewer = await caller(services, tenant, Role.VIEWER)

    taken = await created(owner, shop, idempotencyKey="2", reference="ORDER-1042")
    wrong = await created(
        owner, shop, idempotencyKey="3", total={"amountMinor": "1", "currency": "KES"}, reference=None
    )
    reused = await created(owner, shop, description="something else")
    forbidden = await created(viewer, shop, idempotencyKey="4")

    assert taken["code"] == "ORDER_REFERENCE_TAKEN"
    assert (wrong["code"], wrong["field"]) == ("INVALID_INPUT", "total")
    assert reused["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert forbidden["code"] == "FORBIDDEN"


async def test_twins_make_one_order(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    lock = select(func.pg_advisory_xact_lock(func.hashtextextended("order:order-1042", 0)))

    answers = await race(tenant, lock, [partial(created, owner, shop)] * 3)

    made = {answer["order"]["id"] for answer in answers if isinstance(answer, dict) and "order" in answer}
    assert len(made) == 1
    async with tenant.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Order)) == 1


async def test_a_payment_for_an_order_is_for_what_is_due(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    await created(owner, shop)
    given = {
        "idempotencyKey": "1",
        "channelId": outside(Kind.CHANNEL, shop.channel_id),
        "phone": "+254700000001",
        "description": "Order",
        "orderReference": "order-1042",
    }

    less = await ask(owner, INITIATE, input={**given, "amount": {"amountMinor": "100", "currency": "KES"}})
    due = await ask(owner, INITIATE, input={**given, "amount": {"amountMinor": "150000", "currency": "KES"}})

    assert less["initiatePayment"] == {
        "__typename": "AmountNotDueError",
        "code": "AMOUNT_NOT_DUE",
        "due": {"amountMinor": "150000"},
    }
    assert due["initiatePayment"]["payment"]["orderReference"] == "order-1042"


async def test_an_order_shows_its_payments_and_is_found(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    order = await make_order(tenant, shop)
    other = await make_order(tenant, shop, reference="other")
    await settle(tenant, await attempt(tenant, shop, order), "TKX0000001")

    shown = (await ask(owner, ORDER, id=outside(Kind.ORDER, order.id)))["order"]
    found = [
        [node["reference"] for node in (await ask(owner, ORDERS, **only))["orders"]["nodes"]]
        for only in ({}, {"status": "PAID"}, {"reference": " OTHER"})
    ]

    assert (shown["status"], shown["paid"], shown["overpaid"], shown["refundStatus"]) == (
        "PAID",
        {"amountMinor": "150000"},
        {"amountMinor": "0"},
        "NONE",
    )
    assert [payment["status"] for payment in shown["payments"]] == ["SUCCEEDED"]
    assert shown["paymentLink"] is None
    assert found == [[other.reference, order.reference], [order.reference], [other.reference]]


async def test_an_order_is_watched_with_its_payments(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    serving = owner.tenant
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)

    async with watching(owner, WATCH, id=outside(Kind.ORDER, order.id)) as events:
        seen = [(await next_data(events))["orderUpdated"]]
        payment = await attempt(serving, shop, order)
        while not seen[-1]["payments"] or seen[-1]["payments"][0]["status"] != "PENDING":
            seen.append((await next_data(events))["orderUpdated"])
        await settle(serving, payment, "TKX0000001")
        while seen[-1]["status"] != "PAID":
            seen.append((await next_data(events))["orderUpdated"])

    versions = [one["version"] for one in seen]
    assert versions == sorted(versions)
    assert seen[0] == {"status": "OPEN", "version": 1, "payments": []}


async def test_a_link_names_its_order_and_ends_with_it(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    order = await make_order(tenant, shop)
    id_ = outside(Kind.ORDER, order.id)
    soon = utc_now() + timedelta(hours=1)

    made = (await ask(owner, LINK, id=id_, at=soon.isoformat()))["createPayLink"]
    late = await ask(owner, LINK, id=id_, at=(order.expires_at + timedelta(days=31)).isoformat())
    shown = (await ask(owner, ORDER, id=id_))["order"]["paymentLink"]
    cancelled = (await ask(owner, CANCEL, id=id_))["cancelOrder"]
    refused = (await ask(owner, LINK, id=id_))["createPayLink"]

    token = CheckoutToken.read(made["url"].rpartition("/")[2])
    assert made["url"].startswith(f"{services.policy.public_url}/pay/")
    assert (token.tenant_id, token.order_id) == (tenant.id, order.id)
    assert token.expires_at == soon.replace(microsecond=0)
    assert late["createPayLink"]["code"] == "INVALID_INPUT"
    assert CheckoutToken.read(shown.rpartition("/")[2]).order_id == order.id
    assert cancelled["order"] == {"status": "CANCELLED", "version": 2}
    assert refused["code"] == "ORDER_NOT_OPEN"
    assert (await ask(owner, ORDER, id=id_))["order"]["paymentLink"] is None
    async with tenant.reading() as session:
        actions = await session.scalars(select(TenantAudit.action).order_by(TenantAudit.id))
        assert list(actions) == ["create_pay_link", "cancel_order"]
