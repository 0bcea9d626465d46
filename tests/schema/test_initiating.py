"""Asking for payments over the tenant schema."""

from functools import partial

import pytest
from sqlalchemy import func, select, text

from core.ids import Kind, outside
from tenancy.context import Services
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.audit.models import TenantAudit
from tenant_db.channels.machine import ChannelStatus
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments.models import Payment
from tests.factories.asking import CANCEL, initiated
from tests.factories.callers import ask, caller
from tests.factories.payments import make_shop
from tests.racing import race


async def test_a_payment_is_stored_with_its_job_and_its_audit_row(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    cashier = await caller(services, tenant, Role.CASHIER)

    answer = await initiated(cashier, shop, orderReference="1042")

    shown = answer["payment"]
    assert isinstance(shown, dict)
    assert (shown["status"], shown["version"], shown["phone"]) == ("CREATED", 1, "+254700000001")
    assert shown["amount"] == {"amountMinor": "150000", "currency": "KES", "amount": "1500.00"}
    assert (shown["provider"], shown["environment"]) == ("mpesa", "SANDBOX")
    assert shown["store"] == {"name": "Mama Njeri"}
    # A cashier may read stores, not channels.
    assert shown["channel"] is None
    async with tenant.reading() as session:
        payment = (await session.scalars(select(Payment))).one()
        job = (await session.scalars(select(TenantOutbox))).one()
        row = (await session.scalars(select(TenantAudit))).one()
    assert outside(Kind.PAYMENT, payment.id) == shown["id"] == row.subject
    assert (job.queue, job.kind) == ("payments", "submit_payment")
    assert job.payload == {"payment_id": str(payment.id)}
    assert row.action == "initiate_payment"


async def test_the_same_key_is_the_same_payment(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    first = await initiated(owner, shop)

    again = await initiated(owner, shop)

    assert again == first
    async with tenant.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Payment)) == 1
        assert await session.scalar(select(func.count()).select_from(TenantOutbox)) == 1


async def test_a_repeat_shows_the_payment_as_it_is_now(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    first = await initiated(owner, shop)
    shown = first["payment"]
    assert isinstance(shown, dict)
    await ask(owner, CANCEL, id=shown["id"])

    again = await initiated(owner, shop)

    later = again["payment"]
    assert isinstance(later, dict)
    assert (later["id"], later["status"]) == (shown["id"], "CANCELLED")


async def test_a_key_with_other_input_is_refused(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    await initiated(owner, shop)

    for changed in (
        {"amount": {"amountMinor": "150100", "currency": "KES"}},
        {"phone": "0700000002"},
        {"description": "Order 1043"},
        {"orderReference": "1043"},
        {"customerName": "Jane"},
    ):
        refusal = await initiated(owner, shop, **changed)
        assert refusal["__typename"] == "IdempotencyKeyReusedError"


async def test_a_repeat_needs_the_permission_too(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    await initiated(await caller(services, tenant), shop)

    refusal = await initiated(await caller(services, tenant, Role.VIEWER), shop)

    assert refusal["__typename"] == "ForbiddenError"


async def test_a_phone_gets_three_prompts_in_ten_minutes(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    for number in range(3):
        await initiated(owner, shop, idempotencyKey=f"key-{number}")

    fourth = await initiated(owner, shop, idempotencyKey="key-4")
    repeat = await initiated(owner, shop, idempotencyKey="key-0")
    other = await initiated(owner, shop, idempotencyKey="key-5", phone="0700000002")

    assert fourth["__typename"] == "RateLimitedError"
    assert isinstance(fourth["retryAfterS"], int)
    assert 0 < fourth["retryAfterS"] <= 600
    assert repeat["__typename"] == other["__typename"] == "InitiatePaymentSuccess"
    async with tenant.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Payment)) == 4


async def test_twins_at_one_moment_are_one_payment_and_count_as_one_prompt(
    services: Services, tenant: Tenant
) -> None:
    shop = await make_shop(tenant)
    twins = [await caller(services, tenant) for _ in range(4)]

    answers = await race(
        tenant,
        text("LOCK TABLE idempotency_records IN EXCLUSIVE MODE"),
        [partial(initiated, twin, shop) for twin in twins],
    )

    assert answers == [answers[0]] * len(twins)
    later = [await initiated(twins[0], shop, idempotencyKey=f"later-{number}") for number in range(3)]
    kinds = [answer["__typename"] for answer in later]
    assert kinds == ["InitiatePaymentSuccess", "InitiatePaymentSuccess", "RateLimitedError"]


async def test_a_phone_gets_five_prompts_from_all_businesses(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    kinds = {}
    for one in (tenant, second_tenant):
        shop = await make_shop(one)
        owner = await caller(services, one)
        for number in range(3):
            answer = await initiated(owner, shop, idempotencyKey=f"key-{number}")
            kinds[one.id, number] = answer["__typename"]

    assert kinds.pop((second_tenant.id, 2)) == "RateLimitedError"
    assert set(kinds.values()) == {"InitiatePaymentSuccess"}


async def test_refused_prompts_do_not_count(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    for number in range(5):
        await initiated(owner, shop, idempotencyKey=f"bad-{number}", description="")

    answer = await initiated(owner, shop)

    assert answer["__typename"] == "InitiatePaymentSuccess"


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"amount": {"amountMinor": "150050", "currency": "KES"}}, "AmountNotWholeError"),
        ({"amount": {"amountMinor": "0", "currency": "KES"}}, "AmountOutOfRangeError"),
        ({"amount": {"amountMinor": "-100", "currency": "KES"}}, "AmountOutOfRangeError"),
        ({"amount": {"amountMinor": "25000100", "currency": "KES"}}, "AmountOutOfRangeError"),
        ({"amount": {"amountMinor": "100", "currency": "USD"}}, "WrongCurrencyError"),
        ({"phone": "+14155550100"}, "PhoneNotServedError"),
        ({"phone": "nobody"}, "InvalidInputError"),
        ({"description": ""}, "TextNotUsableError"),
        ({"channelId": "chan_01h455vb4pex5vsknk084sn02q"}, "NotFoundError"),
        ({"channelId": "pay_01h455vb4pex5vsknk084sn02q"}, "InvalidInputError"),
        ({"storeId": "store_01h455vb4pex5vsknk084sn02q"}, "NotFoundError"),
        ({"idempotencyKey": ""}, "InvalidInputError"),
    ],
)
async def test_each_refusal_is_data_and_stores_nothing(
    services: Services, tenant: Tenant, changes: dict[str, object], refusal: str
) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)

    answer = await initiated(owner, shop, **changes)

    assert answer["__typename"] == refusal
    async with tenant.reading() as session:
        assert (await session.scalars(select(Payment))).all() == []
        assert (await session.scalars(select(TenantOutbox))).all() == []


async def test_a_refusal_that_depends_on_state_repeats(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    owner = await caller(services, tenant)
    first = await initiated(owner, shop, orderReference="1042")

    for _ in range(2):
        second = await initiated(owner, shop, orderReference="1042", idempotencyKey="key-2")
        assert second["__typename"] == "PaymentInProgressError"
        shown = first["payment"]
        assert isinstance(shown, dict)
        assert second["paymentId"] == shown["id"]
        # The order is free now; the key has its answer all the same.
        await ask(owner, CANCEL, id=shown["id"])


async def test_a_channel_that_is_not_active_takes_nothing(services: Services, tenant: Tenant) -> None:
    shop = await make_shop(tenant, status=ChannelStatus.DRAFT)
    owner = await caller(services, tenant)

    answer = await initiated(owner, shop)

    assert (answer["__typename"], answer["status"]) == ("ChannelNotActiveError", "draft")
