"""Files of the books, over the tenant schema: ordered once, watched, fetched."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core.clock import utc_now
from core.ids import Kind, inside, new_id, outside
from jobs.exports import export_handlers
from jobs.run import Runner
from jobs.work import by_kind
from tenancy.columns import OutboxColumns
from tenancy.context import Services
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenancy.shapes import model_of
from tenant_db.exports import rules, statement_rows, writing
from tenant_db.exports.rules import ExportFormat
from tests.factories.callers import ask, caller, next_data, refusal_of, watching
from tests.factories.exports import sell
from tests.factories.stores import make_store

ORDER = """
mutation ($input: RequestExportInput!) { requestExport(input: $input) {
  __typename
  ... on RequestExportSuccess { export { id status progress rowsTotal fileName storeId since before } }
  ... on Error { code message }
  ... on TooManyExportsError { runningMax }
  ... on ExportTooLargeError { rowsMax }
} }
"""
LINK = """
mutation ($id: ID!) { linkExport(input: {id: $id}) {
  __typename
  ... on LinkExportSuccess { downloadUrl expiresAt }
  ... on ExportNotReadyError { code status }
  ... on NotFoundError { code }
} }
"""
READ = "query ($id: ID!) { export(id: $id) { id status progress rowsDone sizeBytes expiresAt failure } }"
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
LIST = "{ exports { nodes { id } } }"
WATCH = "subscription ($id: ID!) { exportUpdated(id: $id) { status progress rowsDone version } }"


def wanted(**changes: object) -> dict[str, Any]:
    standard: dict[str, Any] = {
        "kind": "STATEMENT",
        "format": "CSV",
        "period": {
            "since": "2026-01-01T00:00:00Z",
            "before": (utc_now() + timedelta(days=1)).isoformat(),
        },
        "idempotencyKey": str(new_id()),
    }
    return standard | changes


async def run_jobs(services: Services, tenant: Tenant) -> None:
    """Run what has to be done now."""
    runner = Runner(services, by_kind(export_handlers()))
    async with tenant.reading() as session:
        model = model_of(session, OutboxColumns)
        due = select(model.id).where(model.state == "pending", model.next_attempt_at <= utc_now())
        ids = (await session.scalars(due)).all()
    for id_ in ids:
        await runner.run_outbox({}, str(tenant.id), str(id_), tenant.ref.epoch)


async def jobs_of(tenant: Tenant) -> list[tuple[str, dict[str, Any]]]:
    async with tenant.reading() as session:
        model = model_of(session, OutboxColumns)
        return [(row.kind, row.payload) for row in await session.scalars(select(model).order_by(model.id))]


async def test_a_file_is_ordered_made_and_linked(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    await sell(tenant, store.id, 3)
    viewer = await caller(services, tenant, Role.VIEWER)
    store_id = outside(Kind.STORE, store.id)

    ordered = (await ask(viewer, ORDER, input=wanted(storeId=store_id)))["requestExport"]["export"]
    early = (await ask(viewer, LINK, id=ordered["id"]))["linkExport"]
    await run_jobs(services, tenant)
    made = (await ask(viewer, READ, id=ordered["id"]))["export"]
    link = (await ask(viewer, LINK, id=ordered["id"]))["linkExport"]

    assert (ordered["status"], ordered["progress"], ordered["rowsTotal"]) == ("QUEUED", 0, "3")
    assert (ordered["storeId"], ordered["fileName"][:15]) == (store_id, "statement-main-")
    assert early == {"__typename": "ExportNotReadyError", "code": "EXPORT_NOT_READY", "status": "QUEUED"}
    assert (made["status"], made["progress"], made["rowsDone"]) == ("READY", 100, "3")
    assert link["downloadUrl"].startswith(f"{services.policy.public_url}/exports/eyJ")
    assert (await ask(viewer, NODE, id=ordered["id"]))["node"] == {
        "__typename": "Export",
        "id": ordered["id"],
    }
    assert [node["id"] for node in (await ask(viewer, LIST))["exports"]["nodes"]] == [ordered["id"]]


async def test_the_same_key_orders_one_file(services: Services, tenant: Tenant) -> None:
    viewer = await caller(services, tenant, Role.VIEWER)
    input_ = wanted(kind="TRANSACTIONS")

    first, again = [(await ask(viewer, ORDER, input=input_))["requestExport"] for _ in range(2)]
    other = (await ask(viewer, ORDER, input=input_ | {"format": "PDF"}))["requestExport"]

    assert first["export"]["id"] == again["export"]["id"]
    assert other["code"] == "IDEMPOTENCY_KEY_REUSED"
    ids = {"export_id": str(inside(Kind.EXPORT, first["export"]["id"]))}
    assert sorted(await jobs_of(tenant)) == [("expire_export", ids), ("make_export", ids)]


async def test_who_watches_sees_it_grow(
    services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_rows, "BATCH_ROWS", 2)
    monkeypatch.setattr(writing, "PART_BYTES", 1)
    store = await make_store(tenant)
    await sell(tenant, store.id, 5)
    viewer = await caller(services, tenant, Role.VIEWER)
    input_ = wanted(storeId=outside(Kind.STORE, store.id))
    id_ = (await ask(viewer, ORDER, input=input_))["requestExport"]["export"]["id"]

    async with watching(viewer, WATCH, id=id_) as events:
        seen = [(await next_data(events))["exportUpdated"]]
        await run_jobs(services, tenant)
        while seen[-1]["status"] != "READY":
            seen.append((await next_data(events))["exportUpdated"])

    versions = [each["version"] for each in seen]
    assert seen[0] == {"status": "QUEUED", "progress": 0, "rowsDone": "0", "version": 1}
    assert versions == sorted(set(versions))
    assert (seen[-1]["progress"], seen[-1]["rowsDone"], seen[-1]["version"]) == (100, "5", 6)


@pytest.mark.parametrize(
    ("input", "code"),
    [
        (wanted(), "INVALID_INPUT"),
        (wanted(kind="TRANSACTIONS", idempotencyKey=""), "INVALID_INPUT"),
        (wanted(storeId=outside(Kind.PAYMENT, new_id())), "INVALID_INPUT"),
        (wanted(kind="TRANSACTIONS", period={}), "INVALID_INPUT"),
        (wanted(storeId=outside(Kind.STORE, new_id())), "NOT_FOUND"),
        (wanted(accountId=outside(Kind.LEDGER_ACCOUNT, new_id())), "NOT_FOUND"),
        (
            wanted(
                storeId=outside(Kind.STORE, new_id()),
                period={"firstDay": "2026-11-01", "lastDay": "2026-11-02"},
            ),
            "NOT_FOUND",
        ),
    ],
)
async def test_what_can_not_be_ordered_is_refused_and_changes_nothing(
    services: Services, tenant: Tenant, input: dict[str, Any], code: str
) -> None:
    viewer = await caller(services, tenant, Role.VIEWER)

    assert (await ask(viewer, ORDER, input=input))["requestExport"]["code"] == code
    assert (await ask(viewer, LIST))["exports"]["nodes"] == []
    assert await jobs_of(tenant) == []


async def test_an_account_and_a_store_are_not_one_subject(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    account_id = await sell(tenant, store.id)
    viewer = await caller(services, tenant, Role.VIEWER)
    both = wanted(storeId=outside(Kind.STORE, store.id), accountId=outside(Kind.LEDGER_ACCOUNT, account_id))

    assert (await ask(viewer, ORDER, input=both))["requestExport"]["code"] == "INVALID_INPUT"


async def test_too_many_and_too_large_say_what_is_possible(
    services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await make_store(tenant)
    await sell(tenant, store.id, 2)
    viewer = await caller(services, tenant, Role.VIEWER)
    monkeypatch.setitem(rules.ROWS_MAX, ExportFormat.PDF, 1)

    large = (await ask(viewer, ORDER, input=wanted(kind="TRANSACTIONS", format="PDF")))["requestExport"]
    for _ in range(rules.RUNNING_MAX):
        await ask(viewer, ORDER, input=wanted(kind="TRANSACTIONS"))
    many = (await ask(viewer, ORDER, input=wanted(kind="TRANSACTIONS")))["requestExport"]

    assert (large["code"], large["rowsMax"]) == ("EXPORT_TOO_LARGE", 1)
    assert "CSV" in large["message"]
    assert (many["code"], many["runningMax"]) == ("TOO_MANY_EXPORTS", rules.RUNNING_MAX)


async def test_a_refusal_for_too_many_leaves_its_key_free(services: Services, tenant: Tenant) -> None:
    viewer = await caller(services, tenant, Role.VIEWER)
    for _ in range(rules.RUNNING_MAX):
        await ask(viewer, ORDER, input=wanted(kind="TRANSACTIONS"))
    input_ = wanted(kind="TRANSACTIONS")
    refused = (await ask(viewer, ORDER, input=input_))["requestExport"]
    await run_jobs(services, tenant)

    ordered = (await ask(viewer, ORDER, input=input_))["requestExport"]

    assert (refused["code"], ordered["__typename"]) == ("TOO_MANY_EXPORTS", "RequestExportSuccess")


async def test_a_cashier_may_have_no_files_made(services: Services, tenant: Tenant) -> None:
    cashier = await caller(services, tenant, Role.CASHIER)
    id_ = outside(Kind.EXPORT, new_id())

    ordered = (await ask(cashier, ORDER, input=wanted(kind="TRANSACTIONS")))["requestExport"]
    linked = (await ask(cashier, LINK, id=id_))["linkExport"]

    assert (ordered["code"], linked["__typename"]) == ("FORBIDDEN", "ForbiddenError")
    assert await refusal_of(cashier, LIST) == "FORBIDDEN"
    assert await refusal_of(cashier, READ, id=id_) == "FORBIDDEN"


async def test_another_business_finds_no_file(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    theirs = await caller(services, second_tenant)
    id_ = (await ask(theirs, ORDER, input=wanted(kind="TRANSACTIONS")))["requestExport"]["export"]["id"]
    store = await make_store(second_tenant)
    mine = await caller(services, tenant)

    assert await ask(mine, READ, id=id_) == {"export": None}
    assert (await ask(mine, LINK, id=id_))["linkExport"]["code"] == "NOT_FOUND"
    of_store = wanted(storeId=outside(Kind.STORE, store.id))
    assert (await ask(mine, ORDER, input=of_store))["requestExport"]["code"] == "NOT_FOUND"


def test_progress_is_whole_only_when_the_file_is_there() -> None:
    assert [rules.percent(done, 200) for done in (0, 1, 100, 199, 200, 300)] == [0, 0, 50, 99, 99, 99]
    assert rules.percent(0, 0) == 0


def test_names_of_files_are_safe_everywhere() -> None:
    assert (
        rules.file_name("statement", 'Mamá "Njeri"/../x', "20261101", format=ExportFormat.CSV)
        == "statement-mam-njeri-x-20261101.csv"
    )
    assert rules.file_name("☕", format=ExportFormat.PDF) == "export.pdf"
    assert len(rules.file_name("x" * 500, format=ExportFormat.CSV)) < 80
