"""Payments on provider accounts over the tenant schema: asked for, routed, followed, captured."""

from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import select

from core.clock import utc_now
from core.collecting import ActionKind, CaptureMode, NextAction
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from owner_db.catalog.seeding import ensure_catalog
from tenancy.context import Services, TenantContext
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.credentials.models import ProviderAccount
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments import submitting
from tenant_db.payments.answering import settle_by_answer
from tenant_db.payments.models import PayerStep, Payment
from tenant_db.payments.rules import Answer, Authorized, StillPending
from tenant_db.stores.models import Store
from tests.factories.callers import ask, caller, next_data, watching
from tests.factories.payments import read

PAYMENT = (
    "id status method captureMode phone channelId providerAccountId provider version "
    "nextAction { kind instructions url data { name value } } "
    "authorizedAmount { amountMinor } capturedAmount { amountMinor } fee { amountMinor }"
)
START = f"""
mutation ($input: InitiatePaymentInput!) {{
  initiatePayment(input: $input) {{
    __typename ... on InitiatePaymentSuccess {{ payment {{ {PAYMENT} }} }} ... on Error {{ code }}
  }}
}}"""
STEP = f"""
mutation ($input: %sInput!) {{
  %s(input: $input) {{
    __typename
    ... on %sSuccess {{ payment {{ {PAYMENT} }} }}
    ... on Error {{ code }}
  }}
}}"""
PROGRESS = "paymentId status nextAction { kind url } instructions estimatedCompletionAt version"
STATUS = f"query ($id: ID!) {{ paymentStatus(id: $id) {{ {PROGRESS} }} }}"
WATCH = f"subscription ($id: ID!) {{ paymentStatus(id: $id) {{ {PROGRESS} }} }}"
SHOWN = NextAction(
    ActionKind.CLIENT_SDK, "Finish on the page.", None, {"client_secret": "pi_1_secret", "key": "pk_test"}
)


@pytest.fixture
async def owner_caller(services: Services, tenant: Tenant) -> TenantContext:
    async with services.owner.transaction() as session:
        await ensure_catalog(session)
    return await caller(services, tenant)


async def account(tenant: Tenant, provider: str = "stripe", **columns: Any) -> ProviderAccount:  # noqa: ANN401 - columns
    row = ProviderAccount(
        id=new_id(),
        provider=provider,
        name=provider,
        environment="sandbox",
        currencies=["KES"],
        configuration={},
        **columns,
    )
    async with tenant.transaction() as session:
        session.add(row)
    return row


async def make_store(tenant: Tenant) -> str:
    store = Store(id=new_id(), name="Mama Njeri", code=new_id().hex, time_zone="Africa/Nairobi")
    async with tenant.transaction() as session:
        session.add(store)
    return outside(Kind.STORE, store.id)


def bill(store_id: str, **changes: object) -> dict[str, object]:
    given = {
        "idempotencyKey": "key-1",
        "storeId": store_id,
        "amount": {"amountMinor": "150000", "currency": "KES"},
        "method": "CARD",
        "description": "Order 1042",
        "returnUrl": "https://shop.example.com/thanks",
        **changes,
    }
    return {name: value for name, value in given.items() if value is not None}


async def start(context: TenantContext, given: dict[str, object]) -> dict[str, Any]:
    answer: dict[str, Any] = (await ask(context, START, input=given))["initiatePayment"]
    return answer


async def step(context: TenantContext, field: str, **given: object) -> dict[str, Any]:
    name = field[0].upper() + field[1:]
    text = STEP % (name, field, name)
    answer: dict[str, Any] = (await ask(context, text, input={"idempotencyKey": "step-1", **given}))[field]
    return answer


async def take(tenant: Tenant, payment: Payment, *answers: Answer) -> None:
    """As a job does once the provider has taken it."""
    async with tenant.transaction() as session:
        await submitting.claim(session, payment.id, sha256(payment.id.bytes).digest(), utc_now())
    async with tenant.transaction() as session:
        ids = f"pi_{payment.id.hex}", None
        await submitting.accept(session, payment.id, ids, StillPending(SHOWN), utc_now())
    for answer in answers:
        async with tenant.transaction() as session:
            await settle_by_answer(session, payment.id, answer, utc_now())


async def only(tenant: Tenant) -> Payment:
    async with tenant.reading() as session:
        return (await session.scalars(select(Payment))).one()


async def jobs(tenant: Tenant) -> list[str]:
    async with tenant.reading() as session:
        return list(await session.scalars(select(TenantOutbox.kind).order_by(TenantOutbox.id)))


async def test_a_card_payment_on_a_named_account(tenant: Tenant, owner_caller: TenantContext) -> None:
    stripe = await account(tenant)
    named = outside(Kind.PROVIDER_ACCOUNT, stripe.id)

    answer = await start(owner_caller, bill(await make_store(tenant), providerAccountId=named))

    shown = answer["payment"]
    assert (shown["status"], shown["method"], shown["provider"]) == ("CREATED", "CARD", "stripe")
    assert (shown["phone"], shown["channelId"], shown["providerAccountId"]) == (None, None, named)
    assert not (await only(tenant)).routed_by_us
    assert await jobs(tenant) == ["submit_payment"]


async def test_without_a_place_the_account_is_chosen_and_a_repeat_keeps_it(
    tenant: Tenant, owner_caller: TenantContext
) -> None:
    await account(tenant, priority=20)
    chosen = await account(tenant, "paystack", priority=10)
    given = bill(await make_store(tenant))
    first = await start(owner_caller, given)
    async with tenant.transaction() as session:
        (await session.get_one(ProviderAccount, chosen.id)).is_enabled = False

    again = await start(owner_caller, given)
    other = await start(owner_caller, {**given, "idempotencyKey": "key-2"})

    assert again == first
    assert (first["payment"]["provider"], other["payment"]["provider"]) == ("paystack", "stripe")
    async with tenant.reading() as session:
        assert list(await session.scalars(select(Payment.routed_by_us))) == [True, True]


async def test_what_nobody_can_collect_is_refused(tenant: Tenant, owner_caller: TenantContext) -> None:
    store = await make_store(tenant)
    assert (await start(owner_caller, bill(store)))["code"] == "NOBODY_COLLECTS"
    stripe = outside(Kind.PROVIDER_ACCOUNT, (await account(tenant)).id)
    changes: dict[str, dict[str, object]] = {
        "AMOUNT_OUT_OF_RANGE": {"amount": {"amountMinor": "1", "currency": "KES"}},
        "METHOD_NOT_OFFERED": {"method": "BANK_TRANSFER"},
        "INVALID_INPUT": {"channelId": outside(Kind.CHANNEL, new_id())},
        "WRONG_CURRENCY": {"amount": {"amountMinor": "150000", "currency": "USD"}},
        "NOT_FOUND": {"providerAccountId": outside(Kind.PROVIDER_ACCOUNT, new_id())},
    }

    found = {
        code: (await start(owner_caller, bill(store, **{"providerAccountId": stripe, **changed}))).get("code")
        for code, changed in changes.items()
    }

    assert found == {code: code for code in changes}


async def test_the_payer_is_told_what_to_do_and_then_how_it_ended(
    services: Services, tenant: Tenant, owner_caller: TenantContext
) -> None:
    named = outside(Kind.PROVIDER_ACCOUNT, (await account(tenant)).id)
    shown = (await start(owner_caller, bill(await make_store(tenant), providerAccountId=named)))["payment"]
    serving = owner_caller.tenant

    async with watching(owner_caller, WATCH, id=shown["id"]) as events:
        first = (await next_data(events))["paymentStatus"]
        await take(serving, await only(tenant))
        later = first
        while later["status"] != "PENDING" or later["nextAction"] is None:
            later = (await next_data(events))["paymentStatus"]
    now = (await ask(owner_caller, STATUS, id=shown["id"]))["paymentStatus"]
    cashier = await caller(services, tenant, Role.CASHIER)

    assert (first["status"], first["nextAction"], first["version"]) == ("CREATED", None, 1)
    assert later["nextAction"] == {"kind": "CLIENT_SDK", "url": None}
    assert later["instructions"] == "Finish on the page."
    assert later["estimatedCompletionAt"] is not None
    assert now["version"] >= later["version"]
    assert (await ask(cashier, STATUS, id=shown["id"]))["paymentStatus"] == now
    nobody = outside(Kind.PAYMENT, new_id())
    assert (await ask(owner_caller, STATUS, id=nobody))["paymentStatus"] is None


async def test_a_payers_step_is_sealed_and_left_to_a_job(tenant: Tenant, owner_caller: TenantContext) -> None:
    named = outside(Kind.PROVIDER_ACCOUNT, (await account(tenant)).id)
    shown = (await start(owner_caller, bill(await make_store(tenant), providerAccountId=named)))["payment"]
    early = await step(owner_caller, "confirmPayment", id=shown["id"], otp="123456")
    await take(tenant, await only(tenant))

    nothing = await step(owner_caller, "confirmPayment", id=shown["id"])
    done = await step(owner_caller, "confirmPayment", id=shown["id"], otp="123456")
    again = await step(owner_caller, "confirmPayment", id=shown["id"], otp="123456")

    assert (early["code"], nothing["code"]) == ("PAYMENT_NOT_WAITING", "INVALID_INPUT")
    assert (done["__typename"], again["__typename"]) == ("ConfirmPaymentSuccess",) * 2
    assert (await jobs(tenant)).count("confirm_payment") == 1
    async with tenant.reading() as session:
        (kept,) = await session.scalars(select(PayerStep))
    assert "123456" not in kept.sealed


async def test_what_is_authorised_is_captured_once_and_what_is_sent_can_be_given_up(
    tenant: Tenant, owner_caller: TenantContext
) -> None:
    store = await make_store(tenant)
    named = outside(Kind.PROVIDER_ACCOUNT, (await account(tenant)).id)
    given = bill(store, providerAccountId=named, captureMode=CaptureMode.MANUAL.name)
    shown = (await start(owner_caller, given))["payment"]
    early = await step(owner_caller, "capturePayment", id=shown["id"])
    await take(tenant, await only(tenant), Authorized(Money(150_000, Currency.KES)))

    much = {"amountMinor": "150001", "currency": "KES"}
    part = {"amountMinor": "60000", "currency": "KES"}
    refused = await step(owner_caller, "capturePayment", id=shown["id"], amount=much)
    done = await step(owner_caller, "capturePayment", id=shown["id"], amount=part)
    again = await step(owner_caller, "capturePayment", id=shown["id"], amount=part)
    twice = await step(owner_caller, "capturePayment", id=shown["id"], idempotencyKey="step-2")

    assert (early["code"], refused["code"]) == ("PAYMENT_NOT_WAITING", "CAPTURE_TOO_MUCH")
    assert done["payment"]["authorizedAmount"] == {"amountMinor": "150000"}
    assert done["payment"]["capturedAmount"] == {"amountMinor": "60000"}
    assert (again, twice["code"]) == (done, "PAYMENT_NOT_WAITING")
    other = (await start(owner_caller, {**given, "idempotencyKey": "key-2"}))["payment"]
    async with tenant.reading() as session:
        payments = list(await session.scalars(select(Payment).order_by(Payment.id)))
    await take(tenant, payments[-1])
    cancelled = "mutation ($id: ID!) { cancelPayment(input: {id: $id}) { __typename } }"
    told = await ask(owner_caller, cancelled, id=other["id"])
    assert told["cancelPayment"]["__typename"] == "CancelPaymentSuccess"
    assert (await read(tenant, payments[-1].id)).sub_status == "cancelling"
    assert [kind for kind in await jobs(tenant) if kind in {"capture_payment", "cancel_payment"}] == [
        "capture_payment",
        "cancel_payment",
    ]
