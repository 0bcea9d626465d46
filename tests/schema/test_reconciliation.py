"""Checking the books and resolving findings over the tenant schema."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, inside, outside
from tenancy.context import Services, TenantContext
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.audit.models import TenantAudit
from tenant_db.ledger.accounts import Holding, available, open_accounts, suspense
from tenant_db.ledger.models import Transfer
from tenant_db.reconciliation.models import Finding
from tests.databases import PostgresServer
from tests.factories.callers import ask, caller, refusal_of, run
from tests.factories.ledger import balance_of
from tests.factories.payments import AMOUNT, Shop, make_shop
from tests.factories.reconciliation import check, findings_of, pay, tamper
from tests.racing import race

CHECK = """
mutation ($input: ReconcileStoreBalanceInput!) { reconcileStoreBalance(input: $input) {
  __typename
  ... on ReconcileStoreBalanceSuccess { reconciliation {
    id storeId askedBy isBalanced accountCount entryCount paymentCount findingCount isCutOff
    findings { id kind likelyCause difference { amount currency } paymentId }
  } }
  ... on Error { code }
} }
"""
RESOLVE = """
mutation ($input: ResolveFindingInput!) { resolveFinding(input: $input) {
  __typename
  ... on ResolveFindingSuccess { finding { id state note resolvedAt resolvedById adjustmentId } }
  ... on FindingNotOpenError { code findingState }
  ... on Error { code }
} }
"""
FINDINGS = """
query ($state: FindingState, $kind: FindingKind, $storeId: ID) {
  findings(state: $state, kind: $kind, storeId: $storeId) { nodes { id kind state } }
}
"""
NODE = "query ($id: ID!) { node(id: $id) { __typename id } finding(id: $id) { subject state } }"


@pytest.fixture
async def shop(tenant: Tenant) -> Shop:
    shop = await make_shop(tenant)
    await pay(tenant, shop, "TKX0000001")
    return shop


async def set_aside(tenant: Tenant, shop: Shop) -> Finding:
    """KES 1,500 in suspense, because the store's account was closed for a moment; and its finding."""
    place = Holding.of_channel(shop.channel_id)
    async with tenant.transaction() as session:
        (account_id,) = await open_accounts(session, available(shop.store_id, place, Currency.KES))
    await _closed(tenant, account_id, utc_now())
    await pay(tenant, shop, "TKX0000002")
    await _closed(tenant, account_id, None)
    await check(tenant, shop.store_id)
    (finding,) = await findings_of(tenant, "open")
    return finding


async def _closed(tenant: Tenant, account_id: UUID, at: datetime | None) -> None:
    async with tenant.transaction() as session:
        await session.execute(
            text("UPDATE ledger_accounts SET closed_at = :at WHERE id = :id"), {"id": account_id, "at": at}
        )


async def adjustment(tenant: Tenant, shop: Shop, minor: int = AMOUNT.minor) -> dict[str, Any]:
    """From suspense to the store, as GraphQL takes it."""
    place = Holding.of_channel(shop.channel_id)
    async with tenant.transaction() as session:
        source, target = await open_accounts(
            session, suspense(place, Currency.KES), available(shop.store_id, place, Currency.KES)
        )
    return {
        "sourceId": outside(Kind.LEDGER_ACCOUNT, source),
        "destinationId": outside(Kind.LEDGER_ACCOUNT, target),
        "amount": {"amountMinor": str(minor), "currency": "KES"},
    }


async def audited(tenant: Tenant, action: str) -> list[TenantAudit]:
    async with tenant.reading() as session:
        return list(await session.scalars(select(TenantAudit).where(TenantAudit.action == action)))


async def adjustments(tenant: Tenant) -> int:
    async with tenant.reading() as session:
        found = await session.scalar(select(func.count()).where(Transfer.kind == "adjustment"))
    return found or 0


async def test_sound_books_are_balanced_and_the_check_is_audited(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    finance = await caller(services, tenant, Role.FINANCE)
    wanted = {"idempotencyKey": "one", "storeId": outside(Kind.STORE, shop.store_id)}

    told = (await ask(finance, CHECK, input=wanted))["reconcileStoreBalance"]["reconciliation"]

    assert told == {
        **told,
        "storeId": wanted["storeId"],
        "askedBy": "TENANT",
        "isBalanced": True,
        "accountCount": 1,
        "entryCount": "1",
        "paymentCount": "1",
        "findingCount": 0,
        "isCutOff": False,
        "findings": [],
    }
    (row,) = await audited(tenant, "reconcile_store_balance")
    assert (row.subject, row.details) == (wanted["storeId"], {"findings": 0})


async def test_a_repeated_check_is_the_first_one(
    services: Services, tenant: Tenant, shop: Shop, postgres: PostgresServer
) -> None:
    finance = await caller(services, tenant, Role.FINANCE)
    wanted = {"idempotencyKey": "one", "storeId": outside(Kind.STORE, shop.store_id)}
    first = await ask(finance, CHECK, input=wanted)
    await tamper(
        postgres, tenant, "UPDATE ledger_accounts SET pending_debits_minor = 100 WHERE code LIKE 'store:%'"
    )

    again = await ask(finance, CHECK, input=wanted)
    other = await ask(finance, CHECK, input={**wanted, "idempotencyKey": "two"})

    assert again == first
    told = other["reconcileStoreBalance"]["reconciliation"]
    assert (told["isBalanced"], [each["kind"] for each in told["findings"]]) == (False, ["HOLD_TOTAL"])
    assert told["findings"][0]["difference"] == {"amount": "1.00", "currency": "KES"}
    assert "pending holds" in told["findings"][0]["likelyCause"]


async def test_findings_are_listed_by_state_kind_and_store(
    services: Services, tenant: Tenant, second_tenant: Tenant, shop: Shop
) -> None:
    finding = await set_aside(tenant, shop)
    other = await make_shop(tenant, short_code="600100")
    viewer = await caller(services, tenant, Role.VIEWER)
    shown = {"id": outside(Kind.FINDING, finding.id), "kind": "SALE_SET_ASIDE", "state": "OPEN"}
    store, elsewhere = (outside(Kind.STORE, each.store_id) for each in (shop, other))

    for only, nodes in (
        ({}, [shown]),
        ({"state": "OPEN", "kind": "SALE_SET_ASIDE", "storeId": store}, [shown]),
        ({"state": "RESOLVED"}, []),
        ({"kind": "SALE_MISSING"}, []),
        ({"storeId": elsewhere}, []),
    ):
        assert (await ask(viewer, FINDINGS, **only))["findings"]["nodes"] == nodes
    told = await ask(viewer, NODE, id=shown["id"])
    assert told["node"] == {"__typename": "Finding", "id": shown["id"]}
    assert told["finding"]["state"] == "OPEN"
    stranger = await caller(services, second_tenant)
    assert await ask(stranger, NODE, id=shown["id"]) == {"node": None, "finding": None}


async def test_an_adjustment_is_posted_with_its_reason_when_a_finding_is_resolved(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    finding = await set_aside(tenant, shop)
    finance = await caller(services, tenant, Role.FINANCE)
    correction = await adjustment(tenant, shop)
    wanted = {
        "idempotencyKey": "one",
        "findingId": outside(Kind.FINDING, finding.id),
        "note": "Credited after the account was opened again",
        "adjustment": correction,
    }

    first = await ask(finance, RESOLVE, input=wanted)
    again = await ask(finance, RESOLVE, input=wanted)

    told = first["resolveFinding"]["finding"]
    assert again == first
    assert (told["state"], told["note"]) == ("RESOLVED", wanted["note"])
    assert told["resolvedById"] == outside(Kind.USER, finance.signed_in().id)
    async with tenant.reading() as session:
        posted = (await session.execute(select(Transfer).where(Transfer.kind == "adjustment"))).scalar_one()
    assert told["adjustmentId"] == outside(Kind.TRANSFER, posted.id)
    assert (posted.reference, posted.details["reason"]) == (wanted["findingId"], wanted["note"])
    assert (
        await balance_of(tenant, inside(Kind.LEDGER_ACCOUNT, correction["destinationId"])) == 2 * AMOUNT.minor
    )
    (row,) = await audited(tenant, "resolve_finding")
    assert (row.reason, row.details) == (wanted["note"], {"adjustment": told["adjustmentId"]})
    await check(tenant, shop.store_id)
    assert [each.state for each in await findings_of(tenant)] == ["resolved"]


async def test_ten_rivals_resolve_a_finding_once(services: Services, tenant: Tenant, shop: Shop) -> None:
    finding = await set_aside(tenant, shop)
    finance = await caller(services, tenant, Role.FINANCE)
    correction = await adjustment(tenant, shop, 100)
    inputs = [
        {
            "idempotencyKey": f"key-{number}",
            "findingId": outside(Kind.FINDING, finding.id),
            "note": f"rival {number}",
            "adjustment": correction,
        }
        for number in range(10)
    ]

    told = await race(
        tenant,
        select(Finding).where(Finding.id == finding.id).with_for_update(),
        [partial(ask, finance, RESOLVE, input=wanted) for wanted in inputs],
    )

    names = [each["resolveFinding"]["__typename"] for each in told if isinstance(each, dict)]
    assert sorted(names) == ["FindingNotOpenError"] * 9 + ["ResolveFindingSuccess"]
    assert await adjustments(tenant) == 1


async def test_a_refused_adjustment_leaves_the_finding_open(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    finding = await set_aside(tenant, shop)
    finance = await caller(services, tenant, Role.FINANCE)
    correction = await adjustment(tenant, shop, 2 * AMOUNT.minor)
    swapped = {**correction, "sourceId": correction["destinationId"], "destinationId": correction["sourceId"]}
    wanted = {"idempotencyKey": "one", "findingId": outside(Kind.FINDING, finding.id), "note": "wrong way"}

    assert await refused(finance, {**wanted, "adjustment": swapped}) == "INSUFFICIENT_FUNDS"
    same = {**correction, "destinationId": correction["sourceId"]}
    assert await refused(finance, {**wanted, "idempotencyKey": "two", "adjustment": same}) == "SAME_ACCOUNT"
    assert await refused(finance, {**wanted, "idempotencyKey": "three", "note": " "}) == "INVALID_INPUT"

    assert [each.state for each in await findings_of(tenant)] == ["open"]
    assert await adjustments(tenant) == 0


async def refused(context: TenantContext, wanted: dict[str, Any]) -> str:
    body = (await run(context, RESOLVE, input=wanted)).body
    if "errors" in body:
        return str(body["errors"][0]["extensions"]["code"])
    return str(body["data"]["resolveFinding"]["code"])


async def test_who_only_reads_checks_and_resolves_nothing(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    store = outside(Kind.STORE, shop.store_id)
    finding = outside(Kind.FINDING, shop.store_id)
    for role in (Role.VIEWER, Role.DEVELOPER, Role.ADMIN):
        reader = await caller(services, tenant, role)
        told = await ask(reader, CHECK, input={"idempotencyKey": "one", "storeId": store})
        assert told["reconcileStoreBalance"]["code"] == "FORBIDDEN"
        wanted = {"idempotencyKey": "one", "findingId": finding, "note": "mine"}
        assert (await ask(reader, RESOLVE, input=wanted))["resolveFinding"]["code"] == "FORBIDDEN"
    cashier = await caller(services, tenant, Role.CASHIER)
    assert await refusal_of(cashier, FINDINGS) == "FORBIDDEN"
