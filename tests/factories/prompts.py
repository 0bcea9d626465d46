"""Prompts of M-Pesa that each go another way, and where each of them has ended."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from core.phone import Phone
from tenancy.sessions import Tenant
from tenant_db.payments.models import Payment
from tests.factories.journeys import Journey
from tests.factories.ledger import require_sound_books
from tests.factories.outcomes import A_DAY, HALF_AN_HOUR, STRIDE, Course, Standing, pass_time, standing_of
from tests.factories.payments import AMOUNT, PHONE, Shop, books

Way = str | dict[str, Any]

LOST: Final = Course(Standing("unknown"), Standing("unknown", review="unknown_outcome"))
"""Sent, and nothing was ever heard of it: without an id nobody can be asked, so people are."""


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt's way, and where it should lead."""

    course: Course
    way: tuple[Way, ...]
    """Of each time it is sent; after these it succeeds."""
    is_silent: bool = False
    """M-Pesa tells nothing more of it than the way says, however long one waits."""
    tokens: tuple[Way, ...] = ()
    """How the next questions for a token go; the one that is known is ended."""


def told(course: Course, *way: Way) -> Row:
    return Row(course, way)


def asked(course: Course, kind: str, **parts: Any) -> Row:  # noqa: ANN401 - parts of an outcome
    """Nothing is told of it, so all that is known comes from questions."""
    return Row(course, ({"kind": kind, "callback": "never", "c2b": "never", **parts},), is_silent=True)


async def require_rows(journey: Journey, tenant: Tenant, shop: Shop, rows: Mapping[str, Row]) -> None:
    """Have a prompt go each way, and require where it stands and what the channel's books hold.

    Whatever the sandbox calls paid is credited once, or people are asked about it.
    """
    payments, found = await _play(journey, tenant, rows)
    different = {name: course for name, course in found.items() if course != rows[name].course}
    assert different == {}, different
    credited = sum(course.later.credited for course in found.values())
    money = await books(tenant, shop)
    assert (money.holding, money.store, money.suspense) == (credited, credited, 0)
    book = await journey.sandbox.book()
    assert max(Counter(prompt["reference"] for prompt in book["stk"]).values()) == 1, "nobody is asked twice"
    paid = {entry["reference"] for entry in book["paid"]}
    for name, payment in payments.items():
        ended = found[name].later
        assert (ended.credited == AMOUNT.minor) <= (payment.reference in paid), name
        assert (payment.reference in paid) <= (ended.credited == AMOUNT.minor or ended.review is not None), (
            name
        )
    await require_sound_books(tenant)


async def _play(
    journey: Journey, tenant: Tenant, rows: Mapping[str, Row]
) -> tuple[dict[str, Payment], dict[str, Course]]:
    names = list(rows)
    # Those that fail alike stand together; in a row they would open the account's circuit.
    shuffled = [name for first in range(STRIDE) for name in names[first::STRIDE]]
    payments = {
        name: await _sent(journey, tenant, rows[name], 700_000_000 + place)
        for place, name in enumerate(shuffled)
    }
    for name, payment in payments.items():
        if not rows[name].is_silent:
            await journey.sandbox.release(reference=payment.reference)
    await pass_time(journey, tenant, HALF_AN_HOUR, steps=30)
    soon = {name: await standing_of(tenant, payment.id) for name, payment in payments.items()}
    await pass_time(journey, tenant, A_DAY, steps=13)
    later = {name: await standing_of(tenant, payment.id) for name, payment in payments.items()}
    return payments, {name: Course(soon[name], later[name]) for name in rows}


async def _sent(journey: Journey, tenant: Tenant, row: Row, number: int) -> Payment:
    """Each to a phone of its own, by which the sandbox knows its way."""
    phone = Phone(f"+254{number}")
    if row.tokens:
        await journey.sandbox.control("mpesa/tokens", outcomes=list(row.tokens))
    await journey.sandbox.control_next(*row.way, phone=phone.digits)
    payment = await journey.initiate(tenant, phone=phone)
    await journey.run(tenant)
    return payment


async def callback_of(
    journey: Journey,
    payment: Payment,
    *,
    id: str | None = None,
    amount: int = 1_500,
    code: int = 0,
    receipt: str = "TKXFORGED1",
) -> tuple[str, bytes]:
    """The path of a payment's callback, and a success as M-Pesa would tell it."""
    (prompt,) = await journey.prompts(payment)
    items = [
        {"Name": "Amount", "Value": amount},
        {"Name": "MpesaReceiptNumber", "Value": receipt},
        {"Name": "TransactionDate", "Value": 20261121103015},
        {"Name": "PhoneNumber", "Value": int(PHONE.digits)},
    ]
    told = {
        "MerchantRequestID": prompt["merchant_request_id"],
        "CheckoutRequestID": id or prompt["id"],
        "ResultCode": code,
        "ResultDesc": "Told",
        "CallbackMetadata": {"Item": items},
    }
    return urlsplit(prompt["callback_url"]).path, orjson.dumps({"Body": {"stkCallback": told}})
