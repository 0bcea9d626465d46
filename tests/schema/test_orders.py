"""Orders over the tenant schema, and their pages over the token of a link."""

from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, select

from core.clock import utc_now
from core.ids import Kind, inside, outside
from tenancy.checkout_tokens import CheckoutToken
from tenancy.context import Services, TenantContext
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.audit.models import TenantAudit
from tenant_db.orders.ending import expire_order
from tenant_db.orders.models import Order
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments.ending import end_unpaid
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause, FailureReason, NotPaid
from tests.factories.callers import ask, caller, next_data, payer, refusal_of, watching
from tests.factories.orders import attempt, make_order, read_order, settle
from tests.factories.payments import Shop, make_shop, submit
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

PAGE = """{ status version due { amountMinor } methods { method label needsPhone needsEmail } items { name }
  businessName storeName byHand { shortCode account }
  attempt { status instructions failure receipt estimatedCompletionAt } }"""
CHECKOUT = f"{{ checkout {PAGE} }}"
CHECKOUT_WATCH = f"subscription {{ checkoutUpdated {PAGE} }}"
PAY = f"""mutation ($input: PayCheckoutInput!) {{ payCheckout(input: $input) {{ __typename
  ... on PayCheckoutSuccess {{ checkout {PAGE} }} ... on Error {{ code message }}
  ... on InvalidInputError {{ field }} }} }}"""


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


def paying(**changes: object) -> dict[str, object]:
    return {"idempotencyKey": "1", "method": "MOBILE_MONEY", "phone": "0700 000 001", **changes}


async def test_a_page_shows_the_order_and_the_ways_to_pay_it(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)

    shown = (await ask(await payer(services, tenant, order.id), CHECKOUT))["checkout"]

    assert (shown["status"], shown["due"], shown["attempt"]) == ("OPEN", {"amountMinor": "150000"}, None)
    assert shown["methods"] == [
        {"method": "MOBILE_MONEY", "label": "M-Pesa", "needsPhone": True, "needsEmail": False}
    ]
    assert [item["name"] for item in shown["items"]] == ["Ugali na sukuma", "Chai"]
    assert (shown["storeName"], bool(shown["businessName"])) == ("Mama Njeri", True)


async def test_a_payer_pays_once_per_key_and_says_who_it_was(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    page = await payer(services, tenant, order.id)

    first, again = [(await ask(page, PAY, input=paying()))["payCheckout"] for _ in range(2)]
    other = (await ask(page, PAY, input=paying(idempotencyKey="2")))["payCheckout"]

    assert first["checkout"]["attempt"]["status"] == "CREATED"
    assert first["checkout"]["attempt"]["instructions"] == "We are sending a prompt to +2547*****001."
    assert first["checkout"]["methods"] == []
    assert again == first
    assert other["code"] == "PAYMENT_IN_PROGRESS"
    async with tenant.reading() as session:
        payment = (await session.scalars(select(Payment))).one()
        job = (await session.scalars(select(TenantOutbox))).one()
        row = (await session.scalars(select(TenantAudit))).one()
    assert (payment.order_id, payment.amount_minor, payment.routed_by_us) == (order.id, 150_000, True)
    assert payment.return_url is not None
    assert payment.return_url.startswith(f"{services.policy.public_url}/pay/")
    assert (job.kind, job.payload) == ("submit_payment", {"payment_id": str(payment.id)})
    assert (row.actor_kind, row.actor_id, row.action) == ("payer", order.id, "pay_checkout")


async def test_a_payer_is_told_what_is_wrong(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    page = await payer(services, tenant, order.id)
    cases: list[tuple[dict[str, object], tuple[str, str | None]]] = [
        ({"phone": None}, ("INVALID_INPUT", "phone")),
        ({"phone": "12"}, ("INVALID_INPUT", "phone")),
        ({"phone": "+256772123456"}, ("PHONE_NOT_SERVED", None)),
        ({"method": "CARD", "phone": None}, ("INVALID_INPUT", "email")),
        ({"method": "CARD", "phone": None, "email": "me@example.com"}, ("METHOD_NOT_AVAILABLE", None)),
    ]

    for changes, expected in cases:
        told = (await ask(page, PAY, input=paying(**changes)))["payCheckout"]
        assert (told["code"], told.get("field")) == expected, changes


async def test_a_page_follows_its_order_from_a_decline_to_the_receipt(
    services: Services, tenant: Tenant
) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    page = await payer(services, tenant, order.id)
    serving, _ = page.paying()

    async with watching(page, CHECKOUT_WATCH) as events:
        seen: list[dict[str, Any]] = [(await next_data(events))["checkoutUpdated"]]

        async def until(**attempt: object) -> dict[str, Any]:
            while {name: (seen[-1]["attempt"] or {}).get(name) for name in attempt} != attempt:
                seen.append((await next_data(events))["checkoutUpdated"])
            return seen[-1]

        await ask(page, PAY, input=paying())
        await until(status="CREATED")
        await decline(serving, await only_payment(serving))
        declined = await until(status="FAILED")
        await ask(page, PAY, input=paying(idempotencyKey="2"))
        second = await until(status="CREATED")
        await pay(serving, await only_payment(serving))
        paid = await until(status="SUCCEEDED", receipt="TKX0000001")

    versions = [one["version"] for one in seen]
    assert versions == sorted(set(versions))
    assert declined["attempt"]["failure"] == "The PIN was wrong. You can try again."
    assert (len(declined["methods"]), second["methods"]) == (1, [])
    assert (paid["status"], paid["due"]) == ("PAID", {"amountMinor": "0"})
    over = (await ask(page, PAY, input=paying(idempotencyKey="3")))["payCheckout"]
    assert over["code"] == "METHOD_NOT_AVAILABLE"


async def only_payment(tenant: Tenant) -> Payment:
    """The one that is open."""
    async with tenant.reading() as session:
        return (await session.scalars(select(Payment).where(Payment.status == "created"))).one()


async def decline(tenant: Tenant, payment: Payment) -> None:
    await submit(tenant, payment)
    told = NotPaid(FailureReason.WRONG_PIN, "2001", "wrong")
    async with tenant.transaction() as session:
        end_unpaid(session, await lock_payment(session, payment.id), told, Cause.CALLBACK, utc_now())


async def pay(tenant: Tenant, payment: Payment) -> None:
    await submit(tenant, payment)
    await settle(tenant, payment, "TKX0000001")


async def test_an_order_whose_time_is_over_is_shown_so_and_not_paid(
    services: Services, tenant: Tenant
) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop, now=utc_now() - timedelta(days=8), expires_at=None)
    page = await payer(services, tenant, order.id)

    before = (await ask(page, CHECKOUT))["checkout"]
    refused = (await ask(page, PAY, input=paying()))["payCheckout"]
    async with tenant.transaction() as session:
        await expire_order(session, order.id, utc_now())
    after = (await ask(page, CHECKOUT))["checkout"]

    assert (before["status"], before["methods"], after["status"]) == ("EXPIRED", [], "EXPIRED")
    assert refused["code"] == "ORDER_NOT_OPEN"
    assert (await read_order(tenant, order.id)).ended_at is not None


async def test_somebody_who_is_signed_in_holds_no_link_and_a_link_no_session(
    services: Services, tenant: Tenant
) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    owner, page = await caller(services, tenant), await payer(services, tenant, order.id)

    assert await refusal_of(owner, CHECKOUT) == "NOT_SIGNED_IN"
    assert await refusal_of(page, ORDER, id=outside(Kind.ORDER, order.id)) == "FORBIDDEN"
    assert (
        await refusal_of(
            page, f"{{ ...All }} fragment All on Query {{ checkout {PAGE} stores {{ nodes {{ id }} }} }}"
        )
        == "FORBIDDEN"
    )
    assert inside(Kind.ORDER, outside(Kind.ORDER, order.id)) == order.id
