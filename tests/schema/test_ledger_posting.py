"""Posting over the tenant schema: single, linked, corrected, reversed."""

import pytest

from core.ids import Kind, inside, new_id, outside
from tenancy.context import Services
from tenancy.sessions import Tenant
from tests.factories.callers import caller
from tests.factories.ledger import balance_of, make_account
from tests.schema.ledger_calls import (
    audited,
    books,
    call,
    movement,
    shown,
    two_accounts,
)


async def test_a_transfer_is_posted_and_told(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)

    answer = await call(
        owner,
        "postTransfer",
        idempotencyKey="key-1",
        effectiveAt="2026-01-31T21:00:00Z",
        metadata={"till": 7, "staff": ["Amina"]},
        **movement(source, target),
    )

    assert answer["__typename"] == "PostTransferSuccess"
    posted = answer["transfer"]
    assert (posted["sourceId"], posted["destinationId"]) == (source, target)
    assert posted["amount"] == {"amountMinor": "1250", "currency": "KES"}
    assert (posted["kind"], posted["reference"]) == ("TRANSFER", "order 1")
    assert posted["metadata"] == {"till": 7, "staff": ["Amina"]}
    assert posted["effectiveAt"] == "2026-01-31T21:00:00Z"
    assert await balance_of(tenant, inside(Kind.LEDGER_ACCOUNT, target)) == 1_250
    assert await audited(tenant) == [("post_transfer", posted["id"], None)]


async def test_a_repeat_gets_the_first_transfer_and_moves_nothing(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    first = await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, target))
    before = await books(tenant)

    again = await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, target))

    assert again == first
    assert await books(tenant) == before


async def test_a_refusal_by_the_books_repeats_for_its_key(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant, balance_minor=100)
    refused = await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, target, "101"))
    await call(owner, "postTransfer", idempotencyKey="key-2", **movement(target, source, "50"))

    again = await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, target, "101"))

    assert refused["code"] == "INSUFFICIENT_FUNDS"
    assert again == refused


async def test_linked_transfers_are_posted_together_or_not_at_all(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant, balance_minor=100)
    third = shown(await make_account(tenant, "custom:third", floor_minor=0))
    before = await books(tenant)
    good = [movement(source, third, "60"), movement(third, target, "60")]

    refused = await call(
        owner, "postLinkedTransfers", idempotencyKey="key-1", transfers=[*good, movement(third, target, "1")]
    )
    after = await books(tenant)
    posted = await call(owner, "postLinkedTransfers", idempotencyKey="key-2", transfers=good)
    again = await call(owner, "postLinkedTransfers", idempotencyKey="key-2", transfers=good)

    assert refused["__typename"] == "InsufficientFundsError"
    assert after["ledger_accounts"] == before["ledger_accounts"]
    assert after["ledger_transfers"] == []
    assert [one["destinationId"] for one in posted["transfers"]] == [third, target]
    assert again == posted
    assert await balance_of(tenant, inside(Kind.LEDGER_ACCOUNT, target)) == 60


@pytest.mark.parametrize("count", [0, 1, 101])
async def test_two_to_a_hundred_are_linked(services: Services, tenant: Tenant, count: int) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)

    answer = await call(
        owner,
        "postLinkedTransfers",
        idempotencyKey="key-1",
        transfers=[movement(source, target, "1")] * count,
    )

    assert (answer["__typename"], answer["field"]) == ("InvalidInputError", "transfers")


async def test_nobody_chooses_a_key_that_is_another_s(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    one = movement(source, target, "1")
    await call(owner, "postLinkedTransfers", idempotencyKey="key", transfers=[one, one])

    for key in ("0:key", "linked:0:key", "1:key", "key"):
        answer = await call(owner, "postTransfer", idempotencyKey=key, **one)
        assert answer["__typename"] == "PostTransferSuccess"

    assert await balance_of(tenant, inside(Kind.LEDGER_ACCOUNT, target)) == 6


async def test_a_correction_keeps_its_reason(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    given = movement(source, target, reason="  counted twice ", metadata={"case": 4})
    del given["kind"]

    answer = await call(owner, "postAdjustment", idempotencyKey="key-1", **given)
    again = await call(owner, "postAdjustment", idempotencyKey="key-1", **given)

    assert answer["transfer"]["kind"] == "ADJUSTMENT"
    assert answer["transfer"]["metadata"] == {"case": 4, "reason": "counted twice"}
    assert again == answer
    assert await audited(tenant) == [("post_adjustment", answer["transfer"]["id"], "counted twice")]


@pytest.mark.parametrize("wrong", [{"reason": " "}, {"reason": "x" * 501}, {"metadata": {"reason": "mine"}}])
async def test_a_correction_needs_one_reason(
    services: Services, tenant: Tenant, wrong: dict[str, object]
) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    given = movement(source, target, reason="counted twice") | wrong
    del given["kind"]
    before = await books(tenant)

    answer = await call(owner, "postAdjustment", idempotencyKey="key-1", **given)

    assert (answer["__typename"], answer["field"]) == ("InvalidInputError", next(iter(wrong)))
    assert await books(tenant) == before


async def test_a_transfer_is_reversed_once(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    posted = await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, target))
    id_ = posted["transfer"]["id"]

    undone = await call(owner, "reverseTransfer", idempotencyKey="u-1", transferId=id_, reason="a mistake")
    again = await call(owner, "reverseTransfer", idempotencyKey="u-1", transferId=id_, reason="a mistake")
    other = await call(owner, "reverseTransfer", idempotencyKey="u-2", transferId=id_, reason="a mistake")
    back = await call(
        owner, "reverseTransfer", idempotencyKey="u-3", transferId=undone["transfer"]["id"], reason="no"
    )

    assert (undone["transfer"]["kind"], undone["transfer"]["reversesId"]) == ("REVERSAL", id_)
    assert undone["transfer"]["metadata"] == {"reason": "a mistake"}
    assert again == undone
    assert other["__typename"] == "AlreadyReversedError"
    assert back["__typename"] == "NotReversibleError"
    assert await balance_of(tenant, inside(Kind.LEDGER_ACCOUNT, source)) == 10_000
    assert ("reverse_transfer", id_, "a mistake") in await audited(tenant)


async def test_what_is_not_there_is_not_reversed(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    unknown = outside(Kind.TRANSFER, new_id())

    answer = await call(owner, "reverseTransfer", idempotencyKey="u-1", transferId=unknown, reason="why")

    assert answer["__typename"] == "TransferUnknownError"
