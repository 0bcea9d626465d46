"""Holds over the tenant schema."""

from datetime import timedelta
from typing import Any, Final

from core.ids import Kind, inside, new_id, outside
from tenancy.context import Services, TenantContext
from tenancy.sessions import Tenant
from tests.factories.callers import ask, caller
from tests.factories.ledger import balance_of
from tests.schema.ledger_calls import audited, books, call, movement, two_accounts

HOLD: Final = "query ($id: ID!) { hold(id: $id) { id state } node(id: $id) { __typename id } }"
HOLDS: Final = "query ($state: HoldState) { holds(first: 5, state: $state) { nodes { id state } } }"


async def placed(
    context: TenantContext, source: str, target: str, key: str = "hold-1", **more: object
) -> Any:  # noqa: ANN401 - JSON
    given = {"idempotencyKey": key, **movement(source, target, "600"), **more}
    return (await call(context, "placeHold", **given))["hold"]


async def test_a_hold_sets_aside_what_nobody_else_can_spend(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant, balance_minor=1_000)

    hold = await placed(owner, source, target, metadata={"order": 1})
    refused = await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, target, "401"))

    assert (hold["state"], hold["amount"], hold["resolvedAt"]) == ("PENDING", {"amountMinor": "600"}, None)
    assert hold["metadata"] == {"order": 1}
    assert refused["available"] == {"amountMinor": "400", "currency": "KES"}
    assert (await ask(owner, HOLD, id=hold["id"]))["node"] == {"__typename": "Hold", "id": hold["id"]}
    assert ("place_hold", hold["id"], None) in await audited(tenant)


async def test_a_hold_is_posted_in_part_and_the_rest_is_free(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant, balance_minor=1_000)
    hold = await placed(owner, source, target)
    part = {"amountMinor": "250", "currency": "KES"}

    done = await call(owner, "postHold", idempotencyKey="post-1", holdId=hold["id"], amount=part)
    again = await call(owner, "postHold", idempotencyKey="post-1", holdId=hold["id"], amount=part)

    assert done["transfer"]["holdId"] == hold["id"]
    assert done["transfer"]["amount"] == part | {"currency": "KES"}
    assert (done["hold"]["state"], done["hold"]["postedAmount"]) == ("POSTED", {"amountMinor": "250"})
    assert again == done
    assert await balance_of(tenant, inside(Kind.LEDGER_ACCOUNT, source)) == 750
    rest = await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, target, "750"))
    assert rest["__typename"] == "PostTransferSuccess"


async def test_a_hold_is_posted_in_full_when_no_amount_is_named(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    hold = await placed(owner, source, target)

    done = await call(owner, "postHold", idempotencyKey="post-1", holdId=hold["id"])

    assert done["transfer"]["amount"]["amountMinor"] == "600"


async def test_a_voided_hold_is_free_again(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant, balance_minor=600)
    hold = await placed(owner, source, target)

    done = await call(owner, "voidHold", idempotencyKey="void-1", holdId=hold["id"])
    again = await call(owner, "voidHold", idempotencyKey="void-1", holdId=hold["id"])
    spent = await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, target, "600"))

    assert (done["hold"]["state"], again) == ("VOIDED", done)
    assert spent["__typename"] == "PostTransferSuccess"


async def test_a_hold_is_resolved_once(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    hold = await placed(owner, source, target)
    await call(owner, "voidHold", idempotencyKey="void-1", holdId=hold["id"])
    before = await books(tenant)

    late = await call(owner, "postHold", idempotencyKey="post-1", holdId=hold["id"])
    later = await call(owner, "voidHold", idempotencyKey="void-2", holdId=hold["id"])

    assert late["__typename"] == later["__typename"] == "HoldAlreadyResolvedError"
    after = await books(tenant)
    del before["idempotency_records"], after["idempotency_records"]
    assert after == before


async def test_what_a_hold_refuses_has_a_type(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    hold = (await placed(owner, source, target))["id"]
    unknown = outside(Kind.HOLD, new_id())
    refused = {
        "HoldUnknownError": {"holdId": unknown},
        "HoldExceededError": {"holdId": hold, "amount": {"amountMinor": "601", "currency": "KES"}},
        "CurrencyMismatchError": {"holdId": hold, "amount": {"amountMinor": "1", "currency": "USD"}},
        "AmountNotPositiveError": {"holdId": hold, "amount": {"amountMinor": "0", "currency": "KES"}},
        "InvalidInputError": {"holdId": source},
    }

    told = {
        kind: (await call(owner, "postHold", idempotencyKey=f"key-{kind}", **given))["__typename"]
        for kind, given in refused.items()
    }

    assert told == {kind: kind for kind in refused}


async def test_a_hold_whose_time_is_over_can_t_be_placed_or_posted(
    services: Services, tenant: Tenant
) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    now = services.clock()
    soon, past = (now + timedelta(hours=1)).isoformat(), (now - timedelta(hours=1)).isoformat()
    refused = await call(
        owner, "placeHold", idempotencyKey="hold-0", expiresAt=past, **movement(source, target, "1")
    )
    hold = await placed(owner, source, target, expiresAt=soon)
    services.clock = lambda: now + timedelta(hours=2)

    late = await call(owner, "postHold", idempotencyKey="post-1", holdId=hold["id"])

    assert (refused["__typename"], refused["field"]) == ("InvalidInputError", "expiresAt")
    assert late["__typename"] == "HoldExpiredError"


async def test_holds_are_listed_by_their_state(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    first, second = [await placed(owner, source, target, key=f"hold-{number}") for number in range(2)]
    await call(owner, "voidHold", idempotencyKey="void-1", holdId=first["id"])

    pending = (await ask(owner, HOLDS, state="PENDING"))["holds"]["nodes"]
    everything = (await ask(owner, HOLDS))["holds"]["nodes"]

    assert pending == [{"id": second["id"], "state": "PENDING"}]
    assert [one["id"] for one in everything] == [second["id"], first["id"]]
