"""Alerts and the people's queue over both schemas."""

from typing import Final
from uuid import UUID

import pytest
from sqlalchemy import select

from core.alerts import AlertKind
from core.clock import utc_now
from core.ids import Kind, outside
from jobs.alerts import copy_alert
from jobs.work import Work
from owner_db.alerts.raising import raise_platform_alert
from owner_db.audit.models import OwnerAudit
from owner_db.catalog.seeding import ensure_catalog
from tenancy.context import Services, TenantContext
from tenancy.roles import PlatformRole, Role
from tenancy.sessions import Tenant
from tenant_db.alerts.models import Alert
from tenant_db.alerts.raising import raise_alert
from tenant_db.audit.models import TenantAudit
from tenant_db.payments.models import Payment
from tenant_db.reviews.opening import NewReview, open_review, overtake
from tenant_db.reviews.rules import ReviewCause, ReviewSubject
from tests.factories.callers import ask, caller, next_data, refusal_of, watching
from tests.factories.payments import make_shop, pend, read
from tests.factories.staff import ask_as_staff, staff

ALERTS: Final = """
query ($state: AlertState) {
  alerts(state: $state) { nodes { id kind severity subject message count state } }
}
"""
RESOLVE: Final = """
mutation ($input: ResolveAlertInput!) { resolveAlert(input: $input) {
  __typename ... on ResolveAlertSuccess { alert { state note } } ... on Error { code }
} }
"""
ACKNOWLEDGE: Final = """
mutation ($input: AcknowledgeAlertInput!) { acknowledgeAlert(input: $input) {
  __typename ... on AcknowledgeAlertSuccess { alert { state } } ... on Error { code }
} }
"""
DECIDE: Final = """
mutation ($input: DecideReviewInput!) { decideReview(input: $input) {
  __typename
  ... on DecideReviewSuccess { review { state decision reason proof decidedBy } }
  ... on ReviewClosedError { reviewState }
  ... on Error { code }
} }
"""
REVIEW: Final = """
query ($id: ID!) {
  review(id: $id) { cause question notes options suggestion paymentId state }
  reviewEvidence(id: $id) { payment { id status } steps { toStatus } calls { operation } message { sha256 } }
}
"""
PLATFORM_ALERTS: Final = """
query ($tenantId: ID, $state: AlertState) {
  alerts(tenantId: $tenantId, state: $state) { nodes { id tenantId isCopy kind state note } }
}
"""
PLATFORM_RESOLVE: Final = """
mutation ($input: PlatformAlertInput!) { resolveAlert(input: $input) {
  __typename ... on ResolvePlatformAlertSuccess { alert { state note } } ... on Error { code }
} }
"""
PLATFORM_REVIEWS: Final = """
query ($tenantId: ID!, $id: ID!) {
  tenantReviews(tenantId: $tenantId, state: OPEN) { nodes { id question } }
  tenantReviewEvidence(tenantId: $tenantId, id: $id) { payment { status } }
}
"""
PLATFORM_DECIDE: Final = """
mutation ($input: DecideTenantReviewInput!) { decideTenantReview(input: $input) {
  __typename ... on DecideTenantReviewSuccess { review { state decidedBy } } ... on Error { code }
} }
"""


@pytest.fixture
async def asked(tenant: Tenant) -> tuple[Payment, str]:
    """A payment that a person is asked about."""
    payment, _ = await pend(tenant, await make_shop(tenant))
    new = NewReview(
        ReviewSubject.PAYMENT, payment.id, ReviewCause.UNKNOWN_OUTCOME, "Was it paid?", "Still open."
    )
    async with tenant.transaction() as session:
        review_id = await open_review(session, new)
    return payment, outside(Kind.REVIEW, review_id)


async def raised(tenant: Tenant) -> str:
    async with tenant.transaction() as session:
        return outside(
            Kind.ALERT, await raise_alert(session, AlertKind.OVERDRAFT, "store:1", "It lacks KES 1.")
        )


def deciding(review_id: str, key: str = "d1", **more: object) -> dict[str, object]:
    return {"idempotencyKey": key, "reviewId": review_id, "reason": "I have looked.", **more}


async def test_an_alert_is_shown_taken_on_and_resolved_with_a_reason(
    services: Services, tenant: Tenant
) -> None:
    id_ = await raised(tenant)
    finance = await caller(services, tenant, Role.FINANCE)
    viewer = await caller(services, tenant, Role.VIEWER)

    (shown,) = (await ask(viewer, ALERTS, state="OPEN"))["alerts"]["nodes"]
    assert shown == {
        "id": id_,
        "kind": "OVERDRAFT",
        "severity": "CRITICAL",
        "subject": "store:1",
        "message": "It lacks KES 1.",
        "count": 1,
        "state": "OPEN",
    }
    refused = await ask(viewer, RESOLVE, input={"id": id_, "reason": "Paid in."})
    assert refused["resolveAlert"]["code"] == "FORBIDDEN"
    await ask(finance, ACKNOWLEDGE, input={"id": id_})
    unexplained = await ask(finance, RESOLVE, input={"id": id_, "reason": " "})
    assert unexplained["resolveAlert"]["code"] == "INVALID_INPUT"
    done = await ask(finance, RESOLVE, input={"id": id_, "reason": "Paid in."})

    assert done["resolveAlert"]["alert"] == {"state": "RESOLVED", "note": "Paid in."}
    again = await ask(finance, ACKNOWLEDGE, input={"id": id_})
    assert again["acknowledgeAlert"]["code"] == "ALERT_RESOLVED"
    async with tenant.reading() as session:
        rows = await session.execute(select(TenantAudit.action, TenantAudit.subject, TenantAudit.reason))
        assert set(rows.all()) == {
            ("acknowledge_alert", id_, None),
            ("resolve_alert", id_, "Paid in."),
        }


async def test_alerts_and_questions_are_watched_from_what_is_open_on(
    services: Services, tenant: Tenant, asked: tuple[Payment, str]
) -> None:
    viewer = await caller(services, tenant, Role.VIEWER)
    served = await services.tenants.find(tenant.id)
    alerts = "subscription { alertRaised { kind version state } }"
    reviews = "subscription { reviewUpdated { id state notes } }"

    async with watching(viewer, alerts) as told, watching(viewer, reviews) as questions:
        assert (await next_data(told))["alertRaised"]["kind"] == "REVIEW_NEEDED"
        assert (await next_data(questions))["reviewUpdated"]["notes"] == ["Still open."]
        await raised(served)
        overdraft = {"kind": "OVERDRAFT", "version": 1, "state": "OPEN"}
        assert (await next_data(told))["alertRaised"] == overdraft
        more = NewReview(ReviewSubject.PAYMENT, asked[0].id, ReviewCause.CONTRADICTION, "?", "Odd.")
        async with served.transaction() as session:
            await open_review(session, more)
        assert (await next_data(questions))["reviewUpdated"] == {
            "id": asked[1],
            "state": "OPEN",
            "notes": ["Still open.", "Odd."],
        }
        # Committed without a notice: this business's own fixture tells nobody.
        async with tenant.transaction() as session:
            await overtake(session, ReviewSubject.PAYMENT, asked[0].id, utc_now())
        services.feed._resync()  # noqa: SLF001 - what the feed does after it lost its connection
        assert (await next_data(questions))["reviewUpdated"]["state"] == "OVERTAKEN"
        while (made_up := (await next_data(told))["alertRaised"])["state"] != "RESOLVED":
            pass

    assert made_up["kind"] == "REVIEW_NEEDED"


async def test_a_question_is_shown_with_its_evidence_and_decided_once(
    services: Services, tenant: Tenant, asked: tuple[Payment, str]
) -> None:
    payment, review_id = asked
    finance = await caller(services, tenant, Role.FINANCE)

    shown = await ask(finance, REVIEW, id=review_id)
    assert shown["review"]["paymentId"] == outside(Kind.PAYMENT, payment.id)
    assert shown["review"]["options"] == [
        "MARK_PAID",
        "MARK_NOT_PAID",
        "REFUND",
        "CREDIT_STORE",
        "DISMISS",
    ]
    assert shown["reviewEvidence"]["payment"]["status"] == "pending"
    assert [step["toStatus"] for step in shown["reviewEvidence"]["steps"]][-1] == "pending"
    lacking = await ask(finance, DECIDE, input=deciding(review_id, decision="MARK_PAID"))
    assert lacking["decideReview"]["code"] == "INVALID_INPUT"
    paid = deciding(review_id, decision="MARK_PAID", proof="RKTQDM7W6S")
    told = [(await ask(finance, DECIDE, input=paid))["decideReview"] for _ in range(2)]

    assert told[0] == told[1]
    assert told[0]["review"]["decidedBy"] == f"user:{finance.signed_in().id}"
    assert (await read(tenant, payment.id)).status == "succeeded"
    late = await ask(finance, DECIDE, input=deciding(review_id, "d2", decision="DISMISS"))
    assert (late["decideReview"]["code"], late["decideReview"]["reviewState"]) == ("REVIEW_CLOSED", "DECIDED")
    async with tenant.reading() as session:
        row = await session.scalar(select(TenantAudit).where(TenantAudit.action == "decide_review"))
    assert row is not None
    assert (row.subject, row.reason, row.details["decision"]) == (review_id, "I have looked.", "mark_paid")


async def test_a_refund_by_decision_asks_the_catalog_what_the_provider_can(
    services: Services, tenant: Tenant, asked: tuple[Payment, str]
) -> None:
    finance = await caller(services, tenant, Role.FINANCE)
    wanted = deciding(asked[1], decision="REFUND")

    told = await ask(finance, DECIDE, input=wanted)

    assert told["decideReview"]["code"] == "PAYMENT_NOT_REFUNDABLE"
    async with services.owner.transaction() as session:
        await ensure_catalog(session)
    paid = deciding(asked[1], "p1", decision="MARK_PAID", proof="RKTQDM7W6S")
    await ask(finance, DECIDE, input=paid)


async def copied(services: Services, tenant: Tenant) -> None:
    """What the jobs do that alerts leave."""
    async with tenant.reading() as session:
        ids: list[UUID] = list(await session.scalars(select(Alert.id)))
    for id_ in ids:
        await copy_alert(Work(services, tenant, id_, "copy_alert", {"alert_id": str(id_)}, 1))


async def test_staff_sees_every_business_s_alerts_and_deals_with_them_there_too(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    for each in (tenant, second_tenant):
        await raised(each)
        await copied(services, each)
    async with services.owner.transaction() as session:
        await raise_platform_alert(session, AlertKind.HISTORY_REWRITTEN, "ledger", "Rewritten.")
    admin = staff(services, PlatformRole.ADMIN)
    theirs = outside(Kind.TENANT, tenant.id)

    every = (await ask_as_staff(admin, PLATFORM_ALERTS))["alerts"]["nodes"]
    assert [(row["kind"], row["isCopy"]) for row in every] == [
        ("HISTORY_REWRITTEN", False),
        ("OVERDRAFT", True),
        ("OVERDRAFT", True),
    ]
    (copy,) = (await ask_as_staff(admin, PLATFORM_ALERTS, tenantId=theirs))["alerts"]["nodes"]
    support = staff(services, PlatformRole.SUPPORT)
    for context, code in ((support, "FORBIDDEN"), (admin, None)):
        done = await ask_as_staff(
            context, PLATFORM_RESOLVE, input={"id": copy["id"], "reason": "Called them."}
        )
        assert done["resolveAlert"].get("code") == code
    again = await ask_as_staff(admin, PLATFORM_RESOLVE, input={"id": copy["id"], "reason": "Again."})
    own = {"id": every[0]["id"], "reason": "Restored."}

    assert again["resolveAlert"]["code"] == "ALERT_RESOLVED"
    assert (await ask_as_staff(admin, PLATFORM_RESOLVE, input=own))["resolveAlert"]["alert"][
        "state"
    ] == "RESOLVED"
    left = (await ask_as_staff(admin, PLATFORM_ALERTS, state="OPEN"))["alerts"]["nodes"]
    assert [row["tenantId"] for row in left] == [outside(Kind.TENANT, second_tenant.id)]
    async with tenant.reading() as session:
        assert (await session.execute(select(Alert.state, Alert.note))).one() == ("resolved", "Called them.")
        assert await session.scalar(select(TenantAudit.reason)) == "Called them."


async def test_staff_decides_a_question_of_a_business_and_it_stands_in_both_audit_logs(
    services: Services, tenant: Tenant, asked: tuple[Payment, str]
) -> None:
    payment, review_id = asked
    tenant_id = outside(Kind.TENANT, tenant.id)
    finance, support = staff(services, PlatformRole.FINANCE), staff(services)
    shown = await ask_as_staff(support, PLATFORM_REVIEWS, tenantId=tenant_id, id=review_id)
    assert [row["id"] for row in shown["tenantReviews"]["nodes"]] == [review_id]
    assert shown["tenantReviewEvidence"]["payment"]["status"] == "pending"
    sent = {**deciding(review_id, decision="MARK_NOT_PAID"), "tenantId": tenant_id}
    refused = await ask_as_staff(support, PLATFORM_DECIDE, input=sent)
    assert refused["decideTenantReview"]["code"] == "FORBIDDEN"

    done = await ask_as_staff(finance, PLATFORM_DECIDE, input=sent)

    assert done["decideTenantReview"]["review"]["decidedBy"] == f"staff:{finance.signed_in().id}"
    assert (await read(tenant, payment.id)).status == "failed"
    async with services.owner.reading() as session:
        rows = await session.execute(select(OwnerAudit.action, OwnerAudit.subject, OwnerAudit.reason))
        assert ("decide_tenant_review", review_id, "I have looked.") in rows.all()
        assert await session.scalar(select(OwnerAudit.id).where(OwnerAudit.action == "review_evidence"))
    async with tenant.reading() as session:
        actors = await session.scalars(
            select(TenantAudit.actor_kind).where(TenantAudit.action == "decide_review")
        )
        assert actors.all() == ["staff"]


async def test_nothing_of_the_queue_is_told_without_a_scope(services: Services, tenant: Tenant) -> None:
    nobody = await caller(services, tenant, Role.VIEWER)
    nobody = TenantContext(services, nobody.request, None, nobody.bound_tenant)
    for document in ("{ reviews { nodes { id } } }", "{ alerts { nodes { id } } }"):
        assert await refusal_of(nobody, document) == "NOT_SIGNED_IN"
