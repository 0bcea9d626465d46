"""Payments that each go another way at a provider, and where each of them has ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from tenancy.sessions import Tenant
from tenant_db.reviews.models import Review
from tests.factories.collecting import Stand, bill, start, takings
from tests.factories.journeys import Journey
from tests.factories.ledger import require_sound_books
from tests.factories.payments import read

AMOUNT: Final = 150_000
"""Of every bill."""
STRIDE: Final = 13
HALF_AN_HOUR: Final = timedelta(minutes=30)
A_DAY: Final = timedelta(hours=26)
"""Longer than any page stays open, and than anything stays unseen by people."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a payment stands, and what its own postings have moved."""

    status: str
    failure: str | None = None
    """Its code."""
    review: str | None = None
    """Why people are asked about it."""
    credited: int = 0
    """To its store, in minor units, before fees."""
    aside: int = 0
    """What came in beyond its amount, in suspense."""


@dataclass(frozen=True, slots=True)
class Course:
    """One payment at two moments."""

    soon: Standing
    """Half an hour after it was sent, everything having been told."""
    later: Standing
    """A day after that, nothing more having been told."""


PAID: Final = Course(*[Standing("succeeded", credited=AMOUNT)] * 2)
PAID_AND_CONTRADICTED: Final = Course(*[Standing("succeeded", review="contradiction", credited=AMOUNT)] * 2)
"""Credited once; people see that something else was told with a signature that holds."""
FITS_NOT: Final = Course(*[Standing("pending", review="mismatch")] * 2)
CONTRADICTS: Final = Course(*[Standing("pending", review="contradiction")] * 2)
"""Paid, and not as it was asked for: nothing is credited, and people look at it."""


def ended(failure: str, status: str = "failed") -> Course:
    """It came to nothing, and that was known soon."""
    return Course(*[Standing(status, failure)] * 2)


def left_open(first: str | None = None, status: str = "expired", failure: str = "no_answer") -> Course:
    """Its payer might have paid as long as the page was open; `first` is what the first attempt came to."""
    return Course(Standing("pending", first), Standing(status, failure))


UNDECIDED: Final = Course(Standing("pending"), Standing("pending", review="unknown_outcome"))
"""The provider says neither, for a whole day: people are asked."""


async def require_courses(
    journey: Journey,
    tenant: Tenant,
    stand: Stand,
    expected: Mapping[str, Course],
    **changes: Any,  # noqa: ANN401
) -> None:
    """Have a payment go each way, and require where it stands and what the account's books hold.

    Every payment that the sandbox calls paid is credited once, or people are asked about it.
    """
    found = await play(journey, tenant, stand, list(expected), **changes)
    different = {name: course for name, course in found.items() if course != expected[name]}
    assert different == {}, different
    books = await takings(tenant, stand)
    fees = await tenant.rows(
        "SELECT coalesce(sum(fee_minor), 0)::bigint AS fees FROM payments WHERE provider_account_id = $1",
        stand.account_id,
    )
    credited = sum(course.later.credited for course in found.values())
    aside, net = sum(course.later.aside for course in found.values()), credited - fees[0]["fees"]
    assert (books.holding, books.store, books.suspense) == (net + aside, net, aside)
    paid = [row for row in (await journey.sandbox.book_of(stand.provider))["paid"] if row["key"] == stand.key]
    asked = [course for course in found.values() if course in {FITS_NOT, CONTRADICTS}]
    assert len({row["reference"] for row in paid}) == credited // AMOUNT + len(asked)
    await require_no_forgery(journey, stand)
    await require_sound_books(tenant)


async def require_no_forgery(journey: Journey, stand: Stand) -> None:
    """What was signed with another key was refused each time, and never taken."""
    told = [message["told"] for message in (await journey.sandbox.book_of(stand.provider))["webhooks"]]
    forged = [answer for answers in told for answer in answers if answer.startswith("bad_signature: ")]
    assert forged
    assert all(answer.startswith("bad_signature: 4") for answer in forged), forged


async def play(
    journey: Journey,
    tenant: Tenant,
    stand: Stand,
    outcomes: Sequence[str],
    **changes: Any,  # noqa: ANN401
) -> dict[str, Course]:
    """Send one payment for each outcome, have the provider tell all, and let a day pass."""
    # Those that fail alike stand together; in a row they would open the account's circuit.
    shuffled = [outcome for first in range(STRIDE) for outcome in outcomes[first::STRIDE]]
    ids = {outcome: await _sent(journey, tenant, stand, outcome, changes) for outcome in shuffled}
    await journey.run(tenant)
    await journey.sandbox.release_webhooks(stand.provider, key=stand.key)
    await pass_time(journey, tenant, HALF_AN_HOUR, steps=30)
    soon = {outcome: await standing_of(tenant, id_) for outcome, id_ in ids.items()}
    await pass_time(journey, tenant, A_DAY, steps=13)
    return {outcome: Course(soon[outcome], await standing_of(tenant, id_)) for outcome, id_ in ids.items()}


async def pass_time(journey: Journey, tenant: Tenant, time: timedelta, *, steps: int) -> None:
    """Let so much time pass, in steps since one run takes only so many jobs."""
    started = journey.clock()
    for step in range(1, steps + 1):
        await journey.run(tenant, within=started + time * step / steps - journey.clock())


async def _sent(
    journey: Journey, tenant: Tenant, stand: Stand, outcome: str, changes: Mapping[str, Any]
) -> UUID:
    payment = await start(journey, tenant, bill(stand, **changes))
    where = {"payment_id": outside(Kind.PAYMENT, payment.id)}
    await journey.sandbox.plan(stand.provider, outcome, key=stand.key, where=where)
    await journey.run(tenant)
    return payment.id


async def standing_of(tenant: Tenant, payment_id: UUID) -> Standing:
    payment = await read(tenant, payment_id)
    rows = await tenant.rows(
        "SELECT CASE WHEN idempotency_key LIKE 'excess:%' THEN 'excess' ELSE kind END AS kind,"
        " sum(amount_minor)::bigint AS minor FROM ledger_transfers WHERE reference = $1 GROUP BY 1",
        outside(Kind.PAYMENT, payment_id),
    )
    moved = {row["kind"]: row["minor"] for row in rows}
    assert moved.get("fee", 0) == (payment.fee_minor or 0)
    async with tenant.reading() as session:
        review = await session.scalar(select(Review.cause).where(Review.payment_id == payment_id))
    assert payment.needs_review == (review is not None)
    sale, aside = moved.get("sale", 0), moved.get("excess", 0)
    return Standing(payment.status, payment.failure_code, review, sale, aside)
