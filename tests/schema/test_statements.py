"""Importing providers' statements over the tenant schema, and matching their lines with the books."""

import base64
import gzip
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, inside, new_id, outside
from core.money import Money
from tenancy.context import Services, TenantContext
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.credentials.models import ProviderAccount
from tenant_db.ledger.accounts import Holding, available, holding, open_accounts
from tenant_db.ledger.posting import NewTransfer, post
from tenant_db.ledger.rules import TransferKind
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments.matching import NewConfirmation, settle_by_confirmation
from tenant_db.statements.models import StatementLine
from tenant_db.statements.rules import FILE_BYTES_MAX, ROWS_AT_ONCE_MAX
from tests.factories.callers import ask, caller, run
from tests.factories.payments import Shop, make_shop
from tests.factories.reconciliation import pay
from tests.factories.statement_calls import (
    LINES,
    MATCH,
    by_hand,
    file,
    free,
    imported,
    lines,
    today,
    undone,
)
from tests.factories.statements import API, mpesa


@pytest.fixture
async def shop(tenant: Tenant) -> Shop:
    """A shop that sold for KES 1,500 twice."""
    shop = await make_shop(tenant)
    await pay(tenant, shop, "TKX0000001")
    await pay(tenant, shop, "TKX0000002")
    return shop


@pytest.fixture
async def finance(services: Services, tenant: Tenant) -> TenantContext:
    return await caller(services, tenant, Role.FINANCE)


async def move(tenant: Tenant, shop: Shop, minor: int, kind: TransferKind, reference: str) -> UUID:
    """Money leaves the place, and the store pays for it."""
    place = Holding.of_channel(shop.channel_id)
    async with tenant.transaction() as session:
        store, there = await open_accounts(
            session, available(shop.store_id, place, Currency.KES), holding(place, Currency.KES)
        )
        new = NewTransfer(store, there, Money(minor, Currency.KES), kind, reference, f"{kind}:{new_id()}")
        return (await post(session, new)).id


async def test_a_statement_is_imported_and_matched_with_the_books(
    tenant: Tenant, shop: Shop, finance: TenantContext
) -> None:
    fee = await move(tenant, shop, 550, TransferKind.FEE, "TKX0000001")
    bank = [await move(tenant, shop, minor, TransferKind.PAYOUT, f"po_{minor}") for minor in (70_000, 80_000)]
    content = mpesa(
        today("TKX0000001", "1,500.00"),
        today("TKX0000001", "", "5.50", details="Pay merchant Charge"),
        today("TKX0000009", "700.00"),
        today("TKX0000010", "", "1,500.00", details="Organization Settlement Account to Bank"),
    )

    told = (await imported(finance, file(shop, content)))["statementImport"]

    assert (told["state"], told["holding"]) == ("DONE", outside(Kind.CHANNEL, shop.channel_id))
    assert [
        told[f"{name}Count"] for name in ("row", "done", "imported", "duplicate", "matched", "error")
    ] == [*(4, 4, 4, 0, 3, 0)]
    shown = {(line["reference"], line["kind"]): line for line in await lines(finance, importId=told["id"])}
    assert shown["TKX0000001", "FEE"]["amount"]["amount"] == "-5.50"
    rules = {}
    for key, line in shown.items():
        if line["isMatched"]:
            match = (await ask(finance, MATCH, id=line["matchId"]))["statementMatch"]
            rules[key] = (match["rule"], match["transferIds"], match["difference"]["amount"])
    assert {key: rule for key, (rule, _, _) in rules.items()} == {
        ("TKX0000001", "PAYMENT"): "REFERENCE",
        ("TKX0000001", "FEE"): "REFERENCE",
        ("TKX0000010", "PAYOUT"): "SETTLEMENT",
    }
    assert rules["TKX0000001", "FEE"][1] == [outside(Kind.TRANSFER, fee)]
    assert sorted(rules["TKX0000010", "PAYOUT"][1]) == sorted(outside(Kind.TRANSFER, each) for each in bank)
    assert {difference for _, _, difference in rules.values()} == {"0.00"}
    assert [line["reference"] for line in await lines(finance, isMatched=False)] == ["TKX0000009"]
    assert len(await free(finance, shop)) == 1


async def test_lines_that_an_earlier_file_brought_are_not_imported_twice(
    shop: Shop, finance: TenantContext
) -> None:
    one, two = today("TKX0000001", "1,500.00"), today("TKX0000002", "1,500.00")
    first = await imported(finance, file(shop, mpesa(one)))
    again = await imported(finance, file(shop, mpesa(one)))
    second = (await imported(finance, file(shop, mpesa(one, two), "two")))["statementImport"]
    changed = one.replace(",0,true", ",99,true")
    third = (await imported(finance, file(shop, mpesa(changed), "three")))["statementImport"]

    assert again == first
    assert (second["importedCount"], second["duplicateCount"], second["matchedCount"]) == (1, 1, 1)
    assert (third["importedCount"], third["duplicateCount"], third["errorCount"]) == (0, 0, 1)
    assert third["errors"][0]["rowNumber"] == 6
    assert len(await lines(finance)) == 2
    assert await free(finance, shop) == []


async def test_money_told_before_its_payment_is_known_is_matched_by_its_receipt(
    tenant: Tenant, finance: TenantContext
) -> None:
    shop = await make_shop(tenant)
    told = NewConfirmation(
        shop.channel_id, shop.short_code, "TKX0000007", Money(50_000, Currency.KES), "", "", utc_now()
    )
    async with tenant.transaction() as session:
        await settle_by_confirmation(session, told, utc_now())

    await imported(finance, file(shop, mpesa(today("TKX0000007", "500.00"))))

    assert [line["isMatched"] for line in await lines(finance)] == [True]
    assert await free(finance, shop) == []


async def test_a_dry_run_tells_what_is_wrong_and_stores_nothing(shop: Shop, finance: TenantContext) -> None:
    content = mpesa(today("TKX0000001", "1,500.00"), today("TKX0000003", "1.234"))

    told = await imported(finance, file(shop, content, dryRun=True))

    assert told["statementImport"] is None
    assert told["preview"] == {
        "rowCount": 2,
        "lineCount": 1,
        "errorCount": 1,
        "errors": [{"rowNumber": 7, "column": "paid in"}],
    }
    assert await lines(finance) == []
    done = (await imported(finance, file(shop, content)))["statementImport"]
    assert (done["importedCount"], done["errorCount"]) == (1, 1)


async def test_a_file_may_be_text_or_gzip(shop: Shop, finance: TenantContext) -> None:
    content = mpesa(today("TKX0000001", "1,500.00"))
    plain = file(shop, b"", "text", content=content.decode(), contentEncoding="TEXT")
    packed = base64.b64encode(gzip.compress(content)).decode()
    small = file(shop, b"", "gzip", content=packed, contentEncoding="GZIP_BASE64")

    assert (await imported(finance, plain))["statementImport"]["importedCount"] == 1
    assert (await imported(finance, small))["statementImport"]["duplicateCount"] == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"content": "no base64"}, "INVALID_INPUT"),
        ({"content": "bm8gZ3ppcA==", "contentEncoding": "GZIP_BASE64"}, "INVALID_INPUT"),
        (
            {
                "content": base64.b64encode(gzip.compress(b"x" * (FILE_BYTES_MAX + 1))).decode(),
                "contentEncoding": "GZIP_BASE64",
            },
            "INVALID_INPUT",
        ),
        ({"content": "bm8gc3RhdGVtZW50"}, "STATEMENT_UNREADABLE"),
        (
            {"content": base64.b64encode(mpesa(short_code="600999")).decode()},
            "STATEMENT_MISPLACED",
        ),
        ({"fileName": " "}, "INVALID_INPUT"),
        ({"toleranceMinor": "100001"}, "INVALID_INPUT"),
        ({"toleranceMinor": "-1"}, "INVALID_INPUT"),
        ({"toleranceDays": 15}, "INVALID_INPUT"),
        ({"provider": "STRIPE"}, "INVALID_INPUT"),
        ({"channelId": None}, "INVALID_INPUT"),
        ({"channelId": outside(Kind.CHANNEL, new_id())}, "NOT_FOUND"),
        ({"providerAccountId": outside(Kind.PROVIDER_ACCOUNT, new_id())}, "INVALID_INPUT"),
    ],
)
async def test_what_is_no_statement_of_this_place_is_refused(
    shop: Shop, finance: TenantContext, changes: dict[str, Any], code: str
) -> None:
    told = await imported(finance, file(shop, mpesa(today("TKX0000001", "1,500.00")), **changes))

    assert told["code"] == code
    assert await lines(finance) == []


async def test_stripe_s_export_belongs_to_a_provider_account_of_stripe(
    services: Services, tenant: Tenant, second_tenant: Tenant, shop: Shop, finance: TenantContext
) -> None:
    account = ProviderAccount(
        id=new_id(),
        provider="stripe",
        name="Cards",
        environment="sandbox",
        currencies=["USD"],
        configuration={},
    )
    async with tenant.transaction() as session:
        session.add(account)
    row = "txn_1,1500,74,1426,usd,charge,charge,ch_1,1795246212,0,available,Order"
    wanted = file(
        shop,
        f"{API}\n{row}\n".encode(),
        provider="STRIPE",
        channelId=None,
        providerAccountId=outside(Kind.PROVIDER_ACCOUNT, account.id),
    )

    told = (await imported(finance, wanted))["statementImport"]
    mpesa_s = outside(Kind.PROVIDER_ACCOUNT, shop.provider_account_id)
    other = await imported(finance, {**wanted, "idempotencyKey": "two", "providerAccountId": mpesa_s})
    stranger = await imported(await caller(services, second_tenant), wanted)

    assert (told["holding"], told["importedCount"]) == (wanted["providerAccountId"], 1)
    (line,) = await lines(finance, holding=wanted["providerAccountId"])
    assert (line["reference"], line["amount"]["amount"]) == ("ch_1", "15.00")
    assert (other["code"], stranger["code"]) == ("NOT_FOUND", "NOT_FOUND")


async def test_a_long_file_is_left_to_a_job(tenant: Tenant, shop: Shop, finance: TenantContext) -> None:
    rows = [today(f"TL{number:08}", "1.00") for number in range(ROWS_AT_ONCE_MAX + 1)]
    content = base64.b64encode(gzip.compress(mpesa(*rows))).decode()

    told = await imported(finance, file(shop, b"", content=content, contentEncoding="GZIP_BASE64"))

    assert (told["statementImport"]["state"], told["preview"]) == ("WAITING", None)
    async with tenant.reading() as session:
        job = (
            await session.execute(select(TenantOutbox).where(TenantOutbox.kind == "import_statement"))
        ).scalar_one()
    assert job.payload == {"import_id": str(inside(Kind.STATEMENT_IMPORT, told["statementImport"]["id"]))}


async def test_what_a_provider_stated_is_never_rewritten(
    tenant: Tenant, shop: Shop, finance: TenantContext
) -> None:
    await imported(finance, file(shop, mpesa(today("TKX0000001", "1,500.00"))))

    for statement in ("UPDATE statement_lines SET amount_minor = 1", "DELETE FROM statement_lines"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with tenant.transaction() as session:
                await session.execute(text(statement))
    async with tenant.reading() as session:
        assert (await session.execute(select(StatementLine.amount_minor))).scalar_one() == 150_000


async def test_who_only_reads_imports_and_matches_nothing(
    services: Services, tenant: Tenant, shop: Shop
) -> None:
    viewer = await caller(services, tenant, Role.VIEWER)
    told = await imported(viewer, file(shop, mpesa(today("TKX0000001", "1,500.00"))))
    assert told["code"] == "FORBIDDEN"
    line = outside(Kind.STATEMENT_LINE, new_id())
    assert (await by_hand(viewer, [line], [outside(Kind.TRANSFER, new_id())]))["code"] == "FORBIDDEN"
    assert (await undone(viewer, outside(Kind.STATEMENT_MATCH, new_id())))["code"] == "FORBIDDEN"
    assert await lines(viewer) == []
    cashier = await caller(services, tenant, Role.CASHIER)
    assert (await run(cashier, LINES)).body["errors"][0]["extensions"]["code"] == "FORBIDDEN"
