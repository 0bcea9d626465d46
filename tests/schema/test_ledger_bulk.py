"""Posting a thousand transfers in one request, each for itself."""

import asyncio
import json
from typing import Any

import orjson
from graphql import parse
from sqlalchemy import func, select

from core.ids import Kind, inside, new_id
from owner_db.catalog.seeding import RELEASES
from schema.cost import COST_MAX, operation_cost
from schema.inputs import LONG, long_lists
from schema.limits import operations
from schema.tenant import tenant_schema
from server.middleware import Edge
from tenancy.context import Services
from tenancy.sessions import Tenant
from tenant_db.ledger.models import Transfer
from tests.factories.callers import caller, run
from tests.factories.ledger import balance_of, make_account
from tests.schema.ledger_calls import audited, books, call, document, movement, shown, two_accounts


def items(source: str, target: str, count: int, amount_minor: str = "1") -> list[dict[str, object]]:
    return [
        {"idempotencyKey": f"key-{number}", **movement(source, target, amount_minor)}
        for number in range(count)
    ]


def kinds(answer: dict[str, Any]) -> list[str]:
    return [item["error"]["__typename"] if item["error"] else "posted" for item in answer["items"]]


async def posted(tenant: Tenant, target: str) -> int:
    return await balance_of(tenant, inside(Kind.LEDGER_ACCOUNT, target))


async def test_a_thousand_are_posted_in_one_transaction_and_one_act(
    services: Services, tenant: Tenant
) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)

    answer = await call(owner, "postTransfers", items=items(source, target, 1_000))

    assert (answer["postedCount"], answer["refusedCount"]) == (1_000, 0)
    assert [item["index"] for item in answer["items"]] == list(range(1_000))
    assert len({item["transferId"] for item in answer["items"]}) == 1_000
    assert await posted(tenant, target) == 1_000
    assert await audited(tenant) == [("post_transfers", "1000 postings", None)]
    async with tenant.reading() as session:
        assert await session.scalar(select(func.count(Transfer.transaction_id.distinct()))) == 1


async def test_the_same_bulk_again_moves_nothing(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    sent = items(source, target, 2 * LONG)
    first = await call(owner, "postTransfers", items=sent)
    before = await books(tenant)

    again = await call(owner, "postTransfers", items=sent)

    assert again == first
    assert await books(tenant) == before


async def test_more_than_a_thousand_are_not_looked_at(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    before = await books(tenant)

    answer = await call(owner, "postTransfers", items=items(source, target, 1_001))

    assert (answer["__typename"], answer["code"]) == ("TooManyPostingsError", "TOO_MANY_POSTINGS")
    assert await books(tenant) == before


async def test_none_is_a_mistake(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)

    answer = await call(owner, "postTransfers", items=[])

    assert answer["__typename"] == "InvalidInputError"


async def test_each_is_refused_for_its_own_reason_and_leaves_the_rest_alone(
    services: Services, tenant: Tenant
) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant, balance_minor=100)
    closed = shown(await make_account(tenant, "custom:closed", is_closed=True))
    sent = [
        {"idempotencyKey": "a", **movement(source, target, "60")},
        {"idempotencyKey": "b", **movement(source, target, "60")},
        {"idempotencyKey": "c", **movement(source, closed, "1")},
        {"idempotencyKey": "d", **movement(source, source, "1")},
        {"idempotencyKey": "e", **movement(source, "lacc_nonsense", "1")},
        {"idempotencyKey": "f", **movement(source, target, "0")},
        {"idempotencyKey": "not visible ", **movement(source, target, "1")},
        {"idempotencyKey": "g", **movement(target, source, "30")},
        {"idempotencyKey": "h", **movement(source, target, "70")},
    ]

    answer = await call(owner, "postTransfers", items=sent)

    assert kinds(answer) == [
        "posted",
        "InsufficientFundsError",
        "LedgerAccountClosedError",
        "SameAccountError",
        "InvalidInputError",
        "AmountNotPositiveError",
        "InvalidInputError",
        "posted",
        "posted",
    ]
    assert (answer["postedCount"], answer["refusedCount"]) == (3, 6)
    assert [item["transferId"] is None for item in answer["items"]] == [
        kind != "posted" for kind in kinds(answer)
    ]
    assert await posted(tenant, target) == 60 - 30 + 70


async def test_a_key_stands_for_one_posting_within_a_bulk_too(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    one = {"idempotencyKey": "a", **movement(source, target, "1")}
    other = {"idempotencyKey": "a", **movement(source, target, "2")}

    answer = await call(owner, "postTransfers", items=[one, one, other])

    assert kinds(answer) == ["posted", "posted", "IdempotencyKeyReusedError"]
    assert answer["items"][0]["transferId"] == answer["items"][1]["transferId"]
    assert await posted(tenant, target) == 1


async def test_a_key_is_the_same_posting_alone_and_in_a_bulk(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    one = {"idempotencyKey": "a", **movement(source, target, "1")}

    bulk = await call(owner, "postTransfers", items=[one])
    alone = await call(owner, "postTransfer", **one)

    assert alone["transfer"]["id"] == bulk["items"][0]["transferId"]
    assert await posted(tenant, target) == 1


async def test_two_bulks_of_the_same_keys_move_the_money_once(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    sent = items(source, target, 50)

    answers = await asyncio.gather(*[call(owner, "postTransfers", items=sent) for _ in range(4)])

    assert all(answer == answers[0] for answer in answers)
    assert await posted(tenant, target) == 50


async def test_a_malformed_item_breaks_the_request(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    sent = items(source, target, LONG)
    sent[-1]["amount"] = {"amountMinor": "1.5", "currency": "KES"}

    outcome = await run(owner, document("postTransfers"), input={"items": sent})

    (error,) = outcome.body["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert f"items[{LONG - 1}].amount.amountMinor" in error["message"].replace("'", "")
    assert await posted(tenant, target) == 0


def test_a_full_bulk_fits_into_a_request_and_into_the_largest_tier_five_times_a_second() -> None:
    source, target = shown(new_id()), shown(new_id())
    largest = {
        "reference": "r" * 200,
        "effectiveAt": "2026-01-31T21:00:00.123456Z",
        "metadata": {"k": "v" * 500},
    }
    sent = [
        {"idempotencyKey": f"{number:0255}", **movement(source, target, "9" * 38), **largest}
        for number in range(1_000)
    ]
    text, given = document("postTransfers"), {"input": {"items": sent}}
    schema = tenant_schema()._schema  # noqa: SLF001 - Strawberry has no public name for it
    ast = parse(text)
    [operation] = operations(ast)
    cost = operation_cost(schema, ast, operation, {}, long_lists(schema, operation))

    units = cost.of(given)

    assert len(orjson.dumps({"query": text, "variables": given})) < Edge().body_bytes_max
    assert 1_000 <= units < COST_MAX
    tiers = json.loads(max(RELEASES.glob("*.json")).read_text())["tiers"]
    assert 5 * units <= max(tier["request_units_per_s"] for tier in tiers)
