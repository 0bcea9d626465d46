"""The platform's look at a store over the owner schema, and the flags it raises."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import pytest
from graphql import OperationType
from sqlalchemy import select, text

from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from core.tenant import TenantStatus
from owner_db.audit.models import OwnerAudit
from owner_db.tenants.models import Tenant as TenantRow
from schema.exchange import Request
from schema.operations import Operations, Serving
from schema.owner import owner_schema
from tenancy.context import OwnerContext, Principal, Services
from tenancy.roles import PLATFORM_SCOPES, PlatformRole
from tenancy.sessions import OwnerDatabase, Tenant
from tenant_db.audit.models import TenantAudit
from tenant_db.reconciliation.flagging import Facts, Flag, PlaceBalance, raised
from tests.databases import PostgresServer
from tests.factories.callers import REQUEST, Free
from tests.factories.payments import AMOUNT, Shop, make_shop
from tests.factories.reconciliation import check, pay, tamper

AUDIT: Final = """
query ($tenantId: ID!, $storeId: ID!) { storeAudit(tenantId: $tenantId, storeId: $storeId) {
  tenantId tenantStatus storeId storeName closedAt openFindingCount
  balances { holding custody total { amount } reserved { amount } available { amount } suspense { amount } }
  lastReconciliation { askedBy isBalanced findings { id } }
  openFindings { kind subject } flags { flag message }
} }
"""
CHECK: Final = """
mutation ($input: ReconcileTenantStoreInput!) { reconcileTenantStore(input: $input) {
  __typename
  ... on ReconcileTenantStoreSuccess { reconciliation { id askedBy isBalanced findings { kind } } }
  ... on Error { code }
} }
"""
NOW: Final = datetime(2026, 11, 21, 9, tzinfo=UTC)
KES: Final = Currency.KES


async def _free(_context: OwnerContext, _cost: int) -> Free:
    return Free()


@cache
def operations() -> Operations[OwnerContext]:
    return Operations(owner_schema(), Serving(charge=_free))


def staff(services: Services, role: PlatformRole = PlatformRole.SUPPORT) -> OwnerContext:
    principal = Principal("staff", new_id(), None, PLATFORM_SCOPES[role], role.value, None)
    return OwnerContext(services, REQUEST, principal)


async def ask(context: OwnerContext, document: str, **variables: object) -> dict[str, Any]:
    outcome = await operations().run(
        Request(document, variables=variables), context, frozenset(OperationType)
    )
    assert not outcome.errors, outcome.errors
    data: dict[str, Any] = outcome.body["data"]
    return data


@pytest.fixture
async def shop(tenant: Tenant) -> Shop:
    shop = await make_shop(tenant)
    await pay(tenant, shop, "TKX0000001")
    return shop


def named(tenant: Tenant, shop: Shop) -> dict[str, str]:
    return {"tenantId": outside(Kind.TENANT, tenant.id), "storeId": outside(Kind.STORE, shop.store_id)}


async def looks(owner: OwnerDatabase, action: str) -> list[tuple[str | None, str | None, dict[str, Any]]]:
    async with owner.reading() as session:
        rows = await session.scalars(select(OwnerAudit).where(OwnerAudit.action == action))
        return [(row.subject, row.reason, row.details) for row in rows]


async def test_a_sound_store_raises_no_flag_and_the_look_is_written_down(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    await check(tenant, shop.store_id)

    told = (await ask(staff(services), AUDIT, **named(tenant, shop)))["storeAudit"]

    amount = {"amount": f"{AMOUNT.amount}"}
    nothing = {"amount": "0.00"}
    (balance,) = told["balances"]
    assert balance == {
        "holding": outside(Kind.CHANNEL, shop.channel_id),
        "custody": "tenant",
        "total": amount,
        "reserved": nothing,
        "available": amount,
        "suspense": nothing,
    }
    assert told["lastReconciliation"] == {"askedBy": "TENANT", "isBalanced": True, "findings": []}
    assert (told["tenantStatus"], told["openFindingCount"], told["flags"]) == ("ACTIVE", 0, [])
    ids = named(tenant, shop)
    assert await looks(services.owner, "store_audit") == [(ids["storeId"], None, {"tenant": ids["tenantId"]})]


async def test_what_is_wrong_with_a_store_raises_flags(
    services: Services, tenant: Tenant, shop: Shop, postgres: PostgresServer
) -> None:
    await tamper(
        postgres,
        tenant,
        "UPDATE ledger_accounts SET pending_debits_minor = 200000 WHERE code LIKE 'store:%'",
    )
    async with tenant.transaction() as session:
        await session.execute(text("UPDATE ledger_accounts SET closed_at = now() WHERE code LIKE 'store:%'"))
    await pay(tenant, shop, "TKX0000002")
    await check(tenant, shop.store_id)
    async with tenant.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO ledger_holds (id, created_at, source_id, destination_id, amount_minor, currency,"
                " kind, reference, idempotency_key, details, state, posted_minor, expires_at)"
                " SELECT :id, now(), a.id, b.id, 5, 'KES', 'payout', 'r', 'k', '{}', 'pending', 0,"
                " now() - interval '1 minute' FROM ledger_accounts AS a, ledger_accounts AS b"
                " WHERE a.code LIKE 'store:%' AND b.code LIKE 'holding:%' LIMIT 1"
            ),
            {"id": new_id()},
        )

    told = (await ask(staff(services), AUDIT, **named(tenant, shop)))["storeAudit"]

    assert [each["flag"] for each in told["flags"]] == [
        "NEGATIVE_BALANCE",
        "OPEN_FINDINGS",
        "SUSPENSE_NOT_EMPTY",
        "HOLDS_OVERDUE",
    ]
    assert (told["openFindingCount"], [each["kind"] for each in told["openFindings"]]) == (
        2,
        ["HOLD_TOTAL", "SALE_SET_ASIDE"],
    )


async def test_a_suspended_business_is_looked_at_and_checked(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    async with services.owner.transaction() as session:
        row = await session.get_one(TenantRow, tenant.id)
        row.status = TenantStatus.SUSPENDED
    await services.tenants.directory.find_now(tenant.id)

    told = await ask(staff(services), AUDIT, **named(tenant, shop))
    wanted = {**named(tenant, shop), "idempotencyKey": "one", "reason": "a complaint"}
    checked = await ask(staff(services, PlatformRole.FINANCE), CHECK, input=wanted)

    assert told["storeAudit"]["tenantStatus"] == "SUSPENDED"
    assert checked["reconcileTenantStore"]["reconciliation"]["isBalanced"]


async def test_a_check_by_staff_stands_in_both_audit_logs_once(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    finance = staff(services, PlatformRole.FINANCE)
    wanted = {**named(tenant, shop), "idempotencyKey": "one", "reason": "a complaint"}

    first = await ask(finance, CHECK, input=wanted)
    again = await ask(finance, CHECK, input=wanted)

    assert again == first
    assert first["reconcileTenantStore"]["reconciliation"]["askedBy"] == "STAFF"
    details = {"findings": 0, "tenant": wanted["tenantId"]}
    assert await looks(services.owner, "reconcile_tenant_store") == [
        (wanted["storeId"], "a complaint", details)
    ]
    async with tenant.reading() as session:
        rows = await session.scalars(
            select(TenantAudit).where(TenantAudit.action == "reconcile_tenant_store")
        )
        assert [(row.actor_kind, row.reason) for row in rows] == [("staff", "a complaint")]


async def test_a_store_of_another_business_is_not_found(
    services: Services, tenant: Tenant, second_tenant: Tenant, shop: Shop
) -> None:
    wrong = {**named(second_tenant, shop)}
    assert await ask(staff(services), AUDIT, **wrong) == {"storeAudit": None}

    finance = staff(services, PlatformRole.FINANCE)
    told = await ask(finance, CHECK, input={**wrong, "idempotencyKey": "one", "reason": "a complaint"})
    assert told["reconcileTenantStore"]["code"] == "NOT_FOUND"
    unknown = {**named(tenant, shop), "tenantId": outside(Kind.TENANT, new_id())}
    told = await ask(finance, CHECK, input={**unknown, "idempotencyKey": "two", "reason": "a complaint"})
    assert told["reconcileTenantStore"]["code"] == "TENANT_UNKNOWN"


async def test_support_reads_and_checks_nothing_and_a_reason_is_required(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    wanted = {**named(tenant, shop), "idempotencyKey": "one", "reason": "a complaint"}

    told = await ask(staff(services), CHECK, input=wanted)
    assert told["reconcileTenantStore"]["code"] == "FORBIDDEN"
    finance = staff(services, PlatformRole.FINANCE)
    told = await ask(finance, CHECK, input={**wanted, "reason": " "})
    assert told["reconcileTenantStore"]["code"] == "INVALID_INPUT"


PLACE = PlaceBalance("chan_1", "tenant", Money(100, KES), Money(0, KES), Money(0, KES))
SOUND = Facts([PLACE], 0, 0, NOW - timedelta(hours=36), NOW - timedelta(minutes=10), is_proof_broken=False)


@pytest.mark.parametrize(
    ("facts", "flags"),
    [
        (SOUND, []),
        (replace(SOUND, balances=[]), []),
        (replace(SOUND, balances=[replace(PLACE, reserved=Money(101, KES))]), [Flag.NEGATIVE_BALANCE]),
        (replace(SOUND, balances=[replace(PLACE, suspense=Money(1, KES))]), [Flag.SUSPENSE_NOT_EMPTY]),
        (replace(SOUND, open_findings=1), [Flag.OPEN_FINDINGS]),
        (replace(SOUND, overdue_holds=1), [Flag.HOLDS_OVERDUE]),
        (replace(SOUND, reconciled_at=None), [Flag.NOT_RECONCILED]),
        (replace(SOUND, reconciled_at=NOW - timedelta(hours=36, seconds=1)), [Flag.NOT_RECONCILED]),
        (replace(SOUND, unsealed_since=None), []),
        (replace(SOUND, unsealed_since=NOW - timedelta(minutes=10, seconds=1)), [Flag.PROOF_BEHIND]),
        (replace(SOUND, is_proof_broken=True), [Flag.PROOF_BROKEN]),
    ],
)
def test_each_flag_has_its_rule(facts: Facts, flags: list[Flag]) -> None:
    assert [each.flag for each in raised(facts, NOW)] == flags
