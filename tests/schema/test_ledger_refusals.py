"""What is refused of postings, by whom they may be asked for, and that a refusal changes nothing."""

from typing import Any, Final

import pytest

from core.currency import Currency
from core.ids import Kind, new_id, outside
from tenancy.context import Services
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.ledger.rules import Custody, NormalSide
from tests.factories.callers import caller, refusal_of
from tests.factories.ledger import make_account
from tests.schema.ledger_calls import books, call, document, movement, shown, two_accounts

UNKNOWN: Final = shown(new_id())


def amount(minor: str, currency: str = "KES") -> dict[str, object]:
    return {"amount": {"amountMinor": minor, "currency": currency}}


async def made_for_refusals(tenant: Tenant) -> dict[str, str]:
    """Accounts that each refuse for a reason of their own."""
    source, target = await two_accounts(tenant)
    return {
        "source": source,
        "target": target,
        "closed": shown(await make_account(tenant, "custom:closed", is_closed=True)),
        "full": shown(await make_account(tenant, "custom:full", balance_minor=10, ceiling_minor=10)),
        "dollars": shown(await make_account(tenant, "custom:usd", currency=Currency.USD)),
        "counted out": shown(await make_account(tenant, "custom:out", balance_minor=10**38 - 1)),
        "platform": shown(
            await make_account(
                tenant,
                "holding:wallet",
                side=NormalSide.DEBIT,
                custody=Custody.PLATFORM,
                place="wallet",
            )
        ),
        "unknown": UNKNOWN,
        "a transfer": outside(Kind.TRANSFER, new_id()),
        "nonsense": "lacc_nonsense",
    }


REFUSED: Final[dict[str, tuple[str, str, dict[str, Any], str]]] = {
    "zero": ("source", "target", amount("0"), "AmountNotPositiveError"),
    "negative": ("source", "target", amount("-1"), "AmountNotPositiveError"),
    "wrong currency": ("source", "dollars", {}, "CurrencyMismatchError"),
    "wrong currency sent": ("source", "target", amount("1", "USD"), "CurrencyMismatchError"),
    "39 digits": ("source", "target", amount("1" + "0" * 38), "InvalidInputError"),
    "a counter of 39 digits": ("source", "counted out", {}, "AmountTooLargeError"),
    "unknown source": ("unknown", "target", {}, "LedgerAccountUnknownError"),
    "unknown destination": ("source", "unknown", {}, "LedgerAccountUnknownError"),
    "another type's id": ("a transfer", "target", {}, "InvalidInputError"),
    "no id": ("source", "nonsense", {}, "InvalidInputError"),
    "closed": ("source", "closed", {}, "LedgerAccountClosedError"),
    "the same twice": ("source", "source", {}, "SameAccountError"),
    "too much": ("source", "target", amount("10001"), "InsufficientFundsError"),
    "above the ceiling": ("source", "full", {}, "CeilingExceededError"),
    "platform custody": ("source", "platform", {}, "CustodyMixedError"),
    "no reference": ("source", "target", {"reference": ""}, "InvalidInputError"),
    "a long reference": ("source", "target", {"reference": "x" * 201}, "InvalidInputError"),
    "no object": ("source", "target", {"metadata": [1]}, "InvalidInputError"),
    "large metadata": ("source", "target", {"metadata": {"x": "y" * 5_000}}, "InvalidInputError"),
    "NUL": ("source", "target", {"metadata": {"x": "\0"}}, "InvalidInputError"),
    "no key": ("source", "target", {"idempotencyKey": ""}, "InvalidInputError"),
    "a key with spaces": ("source", "target", {"idempotencyKey": "a b"}, "InvalidInputError"),
    "a long key": ("source", "target", {"idempotencyKey": "k" * 256}, "InvalidInputError"),
}
"""What is wrong: source, destination, what else is sent, and the type of the refusal."""


@pytest.mark.parametrize("name", ["postTransfer", "placeHold", "postTransfers", "postLinkedTransfers"])
async def test_bad_input_gets_an_error_of_its_own_and_changes_nothing(
    services: Services, tenant: Tenant, name: str
) -> None:
    owner = await caller(services, tenant)
    made = await made_for_refusals(tenant)
    before = await books(tenant)
    problems: dict[str, object] = {}

    for number, (wrong, (source, target, more, kind)) in enumerate(REFUSED.items()):
        sent = {"idempotencyKey": f"key-{number}", **movement(made[source], made[target]), **more}
        answer = await call(owner, name, **_shaped(name, sent))
        told = answer["items"][0]["error"] if name == "postTransfers" and "items" in answer else answer
        if told["__typename"] != kind:
            problems[wrong] = answer

    assert problems == {}
    after = await books(tenant)
    # Refusals by the books are kept for their keys; nothing else is.
    del before["idempotency_records"], after["idempotency_records"]
    assert after == before


def _shaped(name: str, sent: dict[str, object]) -> dict[str, object]:
    if name == "postTransfers":
        return {"items": [sent]}
    if name == "postLinkedTransfers":
        key = sent.pop("idempotencyKey")
        return {"idempotencyKey": key, "transfers": [sent, sent]}
    return sent


async def test_a_reused_key_is_refused(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant)
    await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, target))
    before = await books(tenant)

    for other in ({"reference": "order 2"}, {"metadata": {"a": 1}}, {"kind": "FEE"}):
        answer = await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, target) | other)
        assert answer["__typename"] == "IdempotencyKeyReusedError"

    assert await books(tenant) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": {"amountMinor": "12.5", "currency": "KES"}},
        {"amount": {"amountMinor": "12", "currency": "XXX"}},
        {"kind": "REVERSAL"},
        {"kind": "ADJUSTMENT"},
        {"effectiveAt": "yesterday"},
        {"unknown": 1},
    ],
)
async def test_what_the_schema_forbids_is_a_broken_request(
    services: Services, tenant: Tenant, wrong: dict[str, object]
) -> None:
    owner = await caller(services, tenant)
    given = {"idempotencyKey": "key-1", **movement(UNKNOWN, UNKNOWN), **wrong}

    assert await refusal_of(owner, document("postTransfer"), input=given) == "BAD_USER_INPUT"


async def test_an_insufficient_balance_says_what_there_is(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    source, target = await two_accounts(tenant, balance_minor=300)

    answer = await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, target, "301"))

    assert answer["__typename"] == "InsufficientFundsError"
    assert answer["account"] == "custom:from"
    assert answer["available"] == {"amountMinor": "300", "currency": "KES"}


@pytest.mark.parametrize(
    ("role", "told"),
    [
        (Role.OWNER, "PostTransferSuccess"),
        (Role.FINANCE, "PostTransferSuccess"),
        (Role.ADMIN, "ForbiddenError"),
        (Role.DEVELOPER, "ForbiddenError"),
        (Role.CASHIER, "ForbiddenError"),
        (Role.VIEWER, "ForbiddenError"),
    ],
)
async def test_owners_and_finance_post(services: Services, tenant: Tenant, role: Role, told: str) -> None:
    somebody = await caller(services, tenant, role)
    source, target = await two_accounts(tenant)

    answer = await call(somebody, "postTransfer", idempotencyKey="key-1", **movement(source, target))

    assert answer["__typename"] == told


async def test_a_repeat_needs_the_right_too(services: Services, tenant: Tenant) -> None:
    source, target = await two_accounts(tenant)
    owner, viewer = await caller(services, tenant), await caller(services, tenant, Role.VIEWER)
    await call(owner, "postTransfer", idempotencyKey="key-1", **movement(source, target))

    answer = await call(viewer, "postTransfer", idempotencyKey="key-1", **movement(source, target))

    assert answer["__typename"] == "ForbiddenError"


WITHOUT: Final[dict[str, dict[str, object]]] = {
    "postLinkedTransfers": {"idempotencyKey": "k", "transfers": [movement(UNKNOWN, UNKNOWN)] * 2},
    "postTransfers": {"items": [{"idempotencyKey": "k", **movement(UNKNOWN, UNKNOWN)}]},
    "placeHold": {"idempotencyKey": "k", **movement(UNKNOWN, shown(new_id()))},
    "postHold": {"idempotencyKey": "k", "holdId": outside(Kind.HOLD, new_id())},
    "voidHold": {"idempotencyKey": "k", "holdId": outside(Kind.HOLD, new_id())},
    "reverseTransfer": {
        "idempotencyKey": "k",
        "transferId": outside(Kind.TRANSFER, new_id()),
        "reason": "why",
    },
    "openLedgerAccount": {"name": "mine", "currency": "KES", "normalSide": "DEBIT"},
    "closeLedgerAccount": {"id": UNKNOWN},
}


@pytest.mark.parametrize("name", WITHOUT)
async def test_every_way_to_change_the_books_needs_the_right(
    services: Services, tenant: Tenant, name: str
) -> None:
    admin = await caller(services, tenant, Role.ADMIN)

    answer = await call(admin, name, **WITHOUT[name])

    assert answer["__typename"] == "ForbiddenError"
