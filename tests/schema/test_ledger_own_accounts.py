"""Ledger accounts of one's own, over the tenant schema."""

import pytest

from core.ids import Kind, inside, new_id, outside
from tenancy.context import Services
from tenancy.sessions import Tenant
from tests.factories.callers import caller
from tests.factories.ledger import make_account
from tests.schema.ledger_calls import audited, books, call, movement, shown, two_accounts

SAFE = {"name": "safe", "currency": "KES", "normalSide": "DEBIT"}


async def test_an_account_is_opened_once_and_posted_to(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, _ = await two_accounts(tenant)

    opened = await call(owner, "openLedgerAccount", **SAFE)
    again = await call(owner, "openLedgerAccount", **SAFE)
    posted = await call(
        owner, "postTransfer", idempotencyKey="key-1", **movement(source, opened["account"]["id"])
    )

    assert opened["account"]["code"] == "custom:safe"
    assert again == opened
    assert posted["__typename"] == "PostTransferSuccess"
    assert ("open_ledger_account", opened["account"]["id"], None) in await audited(tenant)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"normalSide": "CREDIT"}, "LedgerAccountCodeTakenError"),
        ({"floorMinor": "0"}, "LedgerAccountCodeTakenError"),
        ({"name": "Safe"}, "InvalidInputError"),
        ({"name": ""}, "InvalidInputError"),
        ({"name": "other", "floorMinor": "1"}, "InvalidInputError"),
        ({"name": "other", "ceilingMinor": "1" + "0" * 38}, "InvalidInputError"),
        ({"name": "other", "storeId": outside(Kind.STORE, new_id())}, "NotFoundError"),
        ({"name": "other", "storeId": outside(Kind.TRANSFER, new_id())}, "InvalidInputError"),
    ],
)
async def test_what_can_t_be_opened_is_refused(
    services: Services, tenant: Tenant, other: dict[str, str], told: str
) -> None:
    owner = await caller(services, tenant)
    await call(owner, "openLedgerAccount", **SAFE)
    before = await books(tenant)

    answer = await call(owner, "openLedgerAccount", **SAFE | other)

    assert answer["__typename"] == told
    assert await books(tenant) == before


async def test_an_empty_account_is_closed_for_good(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, _ = await two_accounts(tenant)
    opened = (await call(owner, "openLedgerAccount", **SAFE))["account"]

    closed = await call(owner, "closeLedgerAccount", id=opened["id"])
    again = await call(owner, "closeLedgerAccount", id=opened["id"])
    posted = await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, opened["id"]))
    reopened = await call(owner, "openLedgerAccount", **SAFE)

    assert closed["account"]["closedAt"] is not None
    assert again == closed
    assert posted["__typename"] == "LedgerAccountClosedError"
    assert reopened["__typename"] == "LedgerAccountCodeTakenError"
    assert ("close_ledger_account", opened["id"], None) in await audited(tenant)


async def test_what_is_not_one_s_own_or_not_empty_stays_open(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, _ = await two_accounts(tenant)
    fees = shown(await make_account(tenant, "fees:provider"))
    before = await books(tenant)

    told = [
        (await call(owner, "closeLedgerAccount", id=id_))["__typename"]
        for id_ in (source, fees, shown(new_id()), outside(Kind.HOLD, new_id()))
    ]

    assert told == [
        "LedgerAccountNotEmptyError",
        "SystemAccountError",
        "LedgerAccountUnknownError",
        "InvalidInputError",
    ]
    assert await books(tenant) == before
    assert inside(Kind.LEDGER_ACCOUNT, source)
