"""Reading payments and taking them back, over the tenant schema."""

from sqlalchemy import func, select

from core.ids import Kind, new_id, outside
from tenancy.context import Services
from tenancy.sessions import Tenant
from tenant_db.audit.models import TenantAudit
from tests.factories.asking import CANCEL, initiated
from tests.factories.callers import ask, caller, refusal_of
from tests.factories.payments import initiate, make_shop, pend, submit

PAGE = """
query ($first: Int!, $after: String, $status: PaymentStatus, $storeId: ID, $channelId: ID) {
  payments(first: $first, after: $after, status: $status, storeId: $storeId, channelId: $channelId) {
    nodes { id status amount { amountMinor amount currency } phone reference createdAt }
    edges { cursor node { id } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
ONE = "query ($id: ID!) { payment(id: $id) { id status } node(id: $id) { __typename id } }"


async def test_what_was_sent_is_not_cancelled(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    fresh = await initiate(tenant, shop)
    sent, _ = await pend(tenant, shop)
    sending = await initiate(tenant, shop)
    await submit(tenant, sending)

    cancelled = await ask(owner, CANCEL, id=outside(Kind.PAYMENT, fresh.id))
    again = await ask(owner, CANCEL, id=outside(Kind.PAYMENT, fresh.id))
    refused = await ask(owner, CANCEL, id=outside(Kind.PAYMENT, sent.id))
    unsure = await ask(owner, CANCEL, id=outside(Kind.PAYMENT, sending.id))
    unknown = await ask(owner, CANCEL, id=outside(Kind.PAYMENT, new_id()))

    assert cancelled["cancelPayment"]["payment"] == {"status": "CANCELLED", "version": 2}
    assert again == cancelled
    assert refused["cancelPayment"] == {"code": "PAYMENT_ALREADY_SENT", "status": "pending"}
    assert unsure["cancelPayment"]["status"] == "submitting"
    assert unknown["cancelPayment"]["code"] == "NOT_FOUND"


async def test_a_key_cancels_one_payment_once(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    one, other = [outside(Kind.PAYMENT, (await initiate(tenant, shop)).id) for _ in range(2)]

    first = await ask(owner, CANCEL, id=one, key="take-back")
    again = await ask(owner, CANCEL, id=one, key="take-back")
    reused = await ask(owner, CANCEL, id=other, key="take-back")
    another = await ask(owner, CANCEL, id=other, key="and-that")

    assert first["cancelPayment"]["payment"] == {"status": "CANCELLED", "version": 2}
    assert again == first
    assert reused["cancelPayment"] == {"code": "IDEMPOTENCY_KEY_REUSED"}
    assert another == first
    async with tenant.reading() as session:
        taken_back = select(func.count()).where(TenantAudit.action == "cancel_payment")
        assert await session.scalar(taken_back) == 2, "a repeat acts no more"


async def test_pages_are_newest_first_and_filtered(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    other = await make_shop(tenant, short_code="174380")
    made = [await initiate(tenant, shop) for _ in range(4)]
    elsewhere = await initiate(tenant, other)
    pending, _ = await pend(tenant, other)
    owner = await caller(services, tenant)

    first = (await ask(owner, PAGE, first=4))["payments"]
    rest = (await ask(owner, PAGE, first=4, after=first["pageInfo"]["endCursor"]))["payments"]
    of_store = await ask(owner, PAGE, first=9, storeId=outside(Kind.STORE, other.store_id))
    of_channel = await ask(
        owner, PAGE, first=9, channelId=outside(Kind.CHANNEL, other.channel_id), status="PENDING"
    )

    ids = [outside(Kind.PAYMENT, payment.id) for payment in [*made, elsewhere, pending]]
    assert [node["id"] for node in first["nodes"] + rest["nodes"]] == ids[::-1]
    assert [edge["node"]["id"] for edge in rest["edges"]] == ids[1::-1]
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    assert first["nodes"][0]["amount"] == {"amountMinor": "150000", "amount": "1500.00", "currency": "KES"}
    assert [node["id"] for node in of_store["payments"]["nodes"]] == ids[:3:-1]
    assert [node["id"] for node in of_channel["payments"]["nodes"]] == [ids[5]]


async def test_another_business_can_not_reach_it(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    shop = await make_shop(tenant)
    payment = await initiate(tenant, shop)
    await initiate(tenant, shop)
    id_ = outside(Kind.PAYMENT, payment.id)
    page = await ask(await caller(services, tenant), PAGE, first=1)
    stranger = await caller(services, second_tenant)
    their_shop = await make_shop(second_tenant)

    cursor = page["payments"]["pageInfo"]["endCursor"]

    assert await ask(stranger, ONE, id=id_) == {"payment": None, "node": None}
    assert (await ask(stranger, CANCEL, id=id_))["cancelPayment"]["code"] == "NOT_FOUND"
    assert await refusal_of(stranger, PAGE, first=1, after=cursor) == "INVALID_INPUT"
    assert (await initiated(stranger, shop))["__typename"] == "NotFoundError"
    crossed = await initiated(stranger, their_shop, storeId=outside(Kind.STORE, shop.store_id))
    assert crossed["__typename"] == "NotFoundError"


async def test_one_payment_is_read_by_its_id(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    payment = await initiate(tenant, shop)
    id_ = outside(Kind.PAYMENT, payment.id)

    found = await ask(await caller(services, tenant), ONE, id=id_)

    assert found["payment"] == {"id": id_, "status": "CREATED"}
    assert found["node"] == {"__typename": "Payment", "id": id_}
