"""The page of an order over the tenant schema, for the token of its link."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from core.clock import utc_now
from core.ids import Kind, inside, outside
from resolvers.checkout import TRIES_PER_ORDER_MAX, TRIES_WINDOW_S
from tenancy.context import Services
from tenancy.limits import Window
from tenancy.sessions import Tenant
from tenant_db.audit.models import TenantAudit
from tenant_db.channels.machine import UrlsState
from tenant_db.channels.models import Channel
from tenant_db.orders.ending import expire_order
from tenant_db.orders.models import Order
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments.ending import end_unpaid
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause, FailureReason, NotPaid
from tests.factories.callers import ask, caller, next_data, payer, refusal_of, watching
from tests.factories.orders import make_order, read_order, settle
from tests.factories.payments import make_shop, submit

ORDER = """query ($id: ID!) { order(id: $id) { status paid { amountMinor } overpaid { amountMinor }
  refundStatus paymentLink payments { id status needsReview } } }"""
PAGE = """{ status version due { amountMinor } methods { method label needsPhone needsEmail } items { name }
  businessName storeName byHand { shortCode account }
  attempt { status instructions failure receipt estimatedCompletionAt } }"""
CHECKOUT = f"{{ checkout {PAGE} }}"
CHECKOUT_WATCH = f"subscription {{ checkoutUpdated {PAGE} }}"
PAY = f"""mutation ($input: PayCheckoutInput!) {{ payCheckout(input: $input) {{ __typename
  ... on PayCheckoutSuccess {{ checkout {PAGE} }} ... on Error {{ code message }}
  ... on InvalidInputError {{ field }} }} }}"""


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


async def test_an_order_is_not_tried_for_ever(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    order = await make_order(tenant, shop)
    page = await payer(services, tenant, order.id)
    many = Window("pay_order", str(order.id), TRIES_PER_ORDER_MAX, TRIES_WINDOW_S, tenant_id=tenant.id)
    for number in range(TRIES_PER_ORDER_MAX):
        await services.limits.hit_all(many, act=str(number))

    told = (await ask(page, PAY, input=paying()))["payCheckout"]

    assert told["code"] == "RATE_LIMITED"
    async with tenant.reading() as session:
        assert (await session.scalars(select(Payment))).all() == []


async def test_paying_by_hand_is_offered_where_it_would_be_noticed(
    services: Services, tenant: Tenant
) -> None:
    shop = await make_shop(tenant)
    short, long = [await make_order(tenant, shop, reference=name) for name in ("INV7", "a" * 21)]

    async def by_hand(order: Order) -> object:
        return (await ask(await payer(services, tenant, order.id), CHECKOUT))["checkout"]["byHand"]

    assert await by_hand(short) is None
    async with tenant.transaction() as session:
        (await session.get_one(Channel, shop.channel_id)).urls_state = UrlsState.REGISTERED.value

    assert await by_hand(short) == {"shortCode": shop.short_code, "account": "INV7"}
    assert await by_hand(long) is None


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
