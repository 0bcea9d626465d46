"""Refunds and disputes over the tenant schema."""

from typing import Any, Final

import pytest
from sqlalchemy import func, select, update

from core.ids import Kind, outside
from owner_db.catalog.models import PaymentProvider
from owner_db.catalog.seeding import ensure_catalog
from tenancy.columns import OutboxColumns
from tenancy.context import Services, TenantContext
from tenancy.roles import Role, Scope
from tenancy.sessions import Tenant
from tenancy.shapes import model_of
from tenant_db.audit.models import TenantAudit
from tenant_db.disputes.rules import DisputeStatus
from tenant_db.disputes.telling import ToldDispute, tell_dispute
from tenant_db.payments.models import Payment
from tenant_db.refunds.models import Refund
from tenant_db.refunds.rules import Done
from tests.factories.callers import ask, caller, next_data, refusal_of, watching
from tests.factories.ledger import NOW
from tests.factories.payments import Shop, initiate, make_shop
from tests.factories.refunds import kes, make_paid, send, tell

REFUND: Final = """
mutation ($input: RefundPaymentInput!) { refundPayment(input: $input) {
  __typename
  ... on RefundPaymentSuccess { refund { id status amount { amountMinor } origin steps { toStatus cause } } }
  ... on RefundTooMuchError { left { amountMinor currency } }
  ... on PaymentNotCapturedError { paymentId }
  ... on ForbiddenError { scope }
  ... on Error { code message }
} }
"""
PAYMENT: Final = """
query ($id: ID!) { payment(id: $id) {
  refundStatus refundedAmount { amountMinor currency } disputeStatus refunds { id status }
} }
"""
REFUNDS: Final = """
query ($paymentId: ID, $status: RefundStatus) {
  refunds(paymentId: $paymentId, status: $status) { nodes { id paymentId } }
}
"""
EVIDENCE: Final = """
mutation ($input: SubmitDisputeEvidenceInput!) { submitDisputeEvidence(input: $input) {
  __typename
  ... on SubmitDisputeEvidenceSuccess { dispute { evidence { receipt explanation } evidenceSubmittedAt } }
  ... on DisputeClosedError { disputeStatus }
  ... on Error { code }
} }
"""
WATCH: Final = "subscription ($id: ID!) { refundUpdated(id: $id) { status version } }"


@pytest.fixture
async def shop(services: Services, tenant: Tenant) -> Shop:
    async with services.owner.transaction() as session:
        await ensure_catalog(session)
        # What M-Pesa lacks, so that parts can be refunded without another provider's account.
        features = ["collect", "refund", "partial_refund"]
        await session.execute(update(PaymentProvider).values(features=features))
    return await make_shop(tenant)


@pytest.fixture
async def finance(services: Services, tenant: Tenant) -> TenantContext:
    return await caller(services, tenant, Role.FINANCE)


def given(payment: Payment, key: str = "r1", **more: object) -> dict[str, object]:
    payment_id = outside(Kind.PAYMENT, payment.id)
    return {"idempotencyKey": key, "paymentId": payment_id, "reason": "Out of stock.", **more}


async def refund(context: TenantContext, payment: Payment, key: str = "r1", **more: object) -> dict[str, Any]:
    answer: dict[str, Any] = (await ask(context, REFUND, input=given(payment, key, **more)))["refundPayment"]
    return answer


async def test_a_refund_is_asked_for_once_per_key_with_its_job_and_its_audit_row(
    tenant: Tenant, shop: Shop, finance: TenantContext
) -> None:
    payment = await make_paid(tenant, shop)
    part: dict[str, Any] = {"amount": {"amountMinor": "30000", "currency": "KES"}}

    answers = [await refund(finance, payment, **part) for _ in range(2)]

    made = answers[0]["refund"]
    assert answers[0] == answers[1]
    assert (made["status"], made["origin"], made["amount"]) == ("REQUESTED", "API", {"amountMinor": "30000"})
    assert made["steps"] == [{"toStatus": "REQUESTED", "cause": "api"}]
    async with tenant.reading() as session:
        outbox = model_of(session, OutboxColumns)
        jobs = await session.scalar(
            select(func.count()).select_from(outbox).where(outbox.kind == "submit_refund")
        )
        audit = await session.scalar(select(TenantAudit).where(TenantAudit.action == "refund_payment"))
        row = await session.scalar(select(Refund))
    assert (jobs, audit is not None and audit.subject, audit is not None and audit.reason) == (
        1,
        made["id"],
        "Out of stock.",
    )
    assert row is not None
    assert row.requested_by == f"user:{finance.signed_in().id}"
    reused = await refund(finance, payment)
    assert reused["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_refusals_say_what_to_do_instead(tenant: Tenant, shop: Shop, finance: TenantContext) -> None:
    payment = await make_paid(tenant, shop)
    too_much: dict[str, Any] = {"amount": {"amountMinor": "100001", "currency": "KES"}}
    open_payment = await initiate(tenant, shop)

    told = [
        await refund(finance, payment, "1", **too_much),
        await refund(finance, payment, "1", **too_much),
        await refund(finance, open_payment, "2"),
        await refund(finance, payment, "3", reason=" "),
    ]

    assert [answer["code"] for answer in told] == [
        "REFUND_TOO_MUCH",
        "REFUND_TOO_MUCH",
        "PAYMENT_NOT_REFUNDABLE",
        "INVALID_INPUT",
    ]
    assert told[1]["left"] == {"amountMinor": "100000", "currency": "KES"}
    async with tenant.transaction() as session:
        await session.execute(update(Payment).values(status="authorized"))
    captured = await refund(finance, payment, "4")
    assert (captured["code"], captured["paymentId"]) == (
        "PAYMENT_NOT_CAPTURED",
        outside(Kind.PAYMENT, payment.id),
    )


async def test_who_may_take_money_may_not_always_give_it_back(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    payment = await make_paid(tenant, shop)
    for role in (Role.CASHIER, Role.DEVELOPER, Role.VIEWER):
        answer = await refund(await caller(services, tenant, role), payment)
        assert (answer["code"], answer["scope"]) == ("FORBIDDEN", "payments:refund"), role
    blind = await caller(services, tenant, without=[Scope.PAYMENTS_READ])
    assert await refusal_of(blind, REFUNDS) == "FORBIDDEN"


async def test_a_provider_that_gives_nothing_back_is_named(
    services: Services, tenant: Tenant, shop: Shop, finance: TenantContext
) -> None:
    payment = await make_paid(tenant, shop)
    async with services.owner.transaction() as session:
        await session.execute(update(PaymentProvider).values(features=["collect", "refund"]))
    part: dict[str, Any] = {"amount": {"amountMinor": "1", "currency": "KES"}}
    assert (await refund(finance, payment, "1", **part))["code"] == "PARTIAL_REFUND_NOT_OFFERED"
    async with services.owner.transaction() as session:
        await session.execute(update(PaymentProvider).values(features=["collect"]))
    assert (await refund(finance, payment, "2"))["code"] == "REFUND_NOT_OFFERED"


async def test_a_payment_tells_what_was_given_back(
    tenant: Tenant, shop: Shop, finance: TenantContext
) -> None:
    payment, other = await make_paid(tenant, shop), await make_paid(tenant, shop)
    made = await refund(finance, payment, amount={"amountMinor": "30000", "currency": "KES"})
    id_ = outside(Kind.PAYMENT, payment.id)
    assert (await ask(finance, PAYMENT, id=id_))["payment"]["refundStatus"] == "UNDER_WAY"
    async with tenant.reading() as session:
        row = await session.scalar(select(Refund))
    assert row is not None
    await send(tenant, row.id)
    await tell(tenant, row.id, Done("re_1", kes(30_000)))
    told = ToldDispute(payment.id, "dp_1", None, "fraudulent", DisputeStatus.NEEDS_RESPONSE, None, None)
    async with tenant.transaction() as session:
        await tell_dispute(session, told, NOW)

    shown = (await ask(finance, PAYMENT, id=id_))["payment"]

    assert shown == {
        "refundStatus": "PARTLY",
        "refundedAmount": {"amountMinor": "30000", "currency": "KES"},
        "disputeStatus": "OPEN",
        "refunds": [{"id": made["refund"]["id"], "status": "SUCCEEDED"}],
    }
    theirs = {"paymentId": outside(Kind.PAYMENT, other.id)}
    assert (await ask(finance, REFUNDS, **theirs))["refunds"]["nodes"] == []
    assert (await ask(finance, REFUNDS, status="SUCCEEDED"))["refunds"]["nodes"] == [
        {"id": made["refund"]["id"], "paymentId": id_}
    ]


async def test_a_refund_is_watched_to_its_end(
    services: Services, tenant: Tenant, shop: Shop, finance: TenantContext
) -> None:
    payment = await make_paid(tenant, shop)
    made = await refund(finance, payment)
    served = await services.tenants.find(tenant.id)
    async with tenant.reading() as session:
        row = await session.scalar(select(Refund))
    assert row is not None

    async with watching(finance, WATCH, id=made["refund"]["id"]) as events:
        first = (await next_data(events))["refundUpdated"]
        await send(served, row.id)
        await tell(served, row.id, Done("re_1", row.amount))
        while (last := (await next_data(events))["refundUpdated"])["status"] != "SUCCEEDED":
            assert last["version"] > first["version"]

    assert first == {"status": "REQUESTED", "version": 1}
    assert last["version"] == 3


async def test_evidence_is_kept_until_the_bank_has_decided(
    tenant: Tenant, shop: Shop, finance: TenantContext
) -> None:
    payment = await make_paid(tenant, shop)

    async def told(status: DisputeStatus) -> str:
        case = ToldDispute(payment.id, "dp_1", None, "fraudulent", status, None, None)
        async with tenant.transaction() as session:
            return outside(Kind.DISPUTE, (await tell_dispute(session, case, NOW)).id)

    async def submit(key: str, **evidence: str) -> dict[str, Any]:
        sent = {"idempotencyKey": key, "disputeId": dispute_id, **evidence}
        answer: dict[str, Any] = (await ask(finance, EVIDENCE, input=sent))["submitDisputeEvidence"]
        return answer

    dispute_id = await told(DisputeStatus.NEEDS_RESPONSE)
    kept = await submit("1", receipt="R-1", explanation="It was delivered.")
    assert kept["dispute"]["evidence"] == {"receipt": "R-1", "explanation": "It was delivered."}
    assert (await submit("2"))["code"] == "INVALID_INPUT"
    await told(DisputeStatus.LOST)

    closed = await submit("3", receipt="R-2")

    assert (closed["code"], closed["disputeStatus"]) == ("DISPUTE_CLOSED", "LOST")
