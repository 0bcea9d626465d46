"""Refunds and disputes at Stripe, Paystack and Flutterwave: every outcome of their sheets, in the books."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
import redis.asyncio
from sqlalchemy import select

from core.ids import Kind, inside, outside
from integrations.errors import FailureReason, ProviderRejected
from integrations.protocol import Adapter, RefundAnswer, RefundRequest
from jobs.providers import Route
from tenancy.outbox import announce
from tenancy.sessions import OwnerDatabase, Tenant
from tenant_db.alerts.models import Alert
from tenant_db.disputes.models import Dispute
from tenant_db.payments.models import Payment
from tenant_db.refunds.models import Refund
from tenant_db.refunds.requesting import NewRefund, request_refund
from tenant_db.refunds.rules import Done
from tests.factories.collecting import Stand, collect, hear, open_stand, takings
from tests.factories.journeys import Journey, running_journey
from tests.factories.ledger import require_sound_books
from tests.factories.refunds import ANY, kes
from tests.factories.refunds import read as read_refund
from tests.factories.refunds import tell as tell_refund

PART: Final = 1_000
SOON: Final = timedelta(minutes=3)
"""The first rungs of every ladder."""


@pytest.fixture
async def journey(
    owner: OwnerDatabase, tenant: Tenant, redis_client: redis.asyncio.Redis, tmp_path: Path
) -> AsyncIterator[Journey]:
    async with running_journey(owner, [tenant], redis_client, tmp_path) as running:
        yield running


async def paid(journey: Journey, tenant: Tenant, stand: Stand) -> Payment:
    payment = await collect(journey, tenant, stand)
    await hear(journey, tenant, stand)
    await journey.run(tenant, within=SOON)
    async with tenant.reading() as session:
        row = await session.get_one(Payment, payment.id)
    assert row.status == "succeeded"
    return row


async def give_back(
    journey: Journey,
    tenant: Tenant,
    stand: Stand,
    payment: Payment,
    *outcome: str | dict[str, Any],
    amount_minor: int = PART,
) -> UUID:
    """Ask for a refund that will go this way, and run what is due until it waits."""
    # Slow, so that what is asked at once is not decided yet, however fast the machine is.
    planned = [{"delay_s": 3_600, **(each if isinstance(each, dict) else {"kind": each})} for each in outcome]
    if planned:
        await journey.sandbox.plan(stand.provider, *planned, key=stand.key)
    refund_id = await asked(journey, tenant, payment, amount_minor)
    await journey.run(tenant)
    return refund_id


async def asked(journey: Journey, tenant: Tenant, payment: Payment, amount_minor: int = PART) -> UUID:
    async with tenant.transaction() as session:
        new = NewRefund(payment.id, kes(amount_minor), "Out of stock.", "user:1")
        refund = await request_refund(session, new, ANY, journey.clock())
        announce(session, "submit_refund", queue="payments", refund_id=str(refund.id))
    return refund.id


async def refunds(tenant: Tenant) -> list[Refund]:
    async with tenant.reading() as session:
        return list(await session.scalars(select(Refund).order_by(Refund.id)))


async def alerts(tenant: Tenant) -> list[str]:
    async with tenant.reading() as session:
        return list(await session.scalars(select(Alert.kind).order_by(Alert.id)))


def sent_after(kind: str) -> dict[str, Any]:
    return {"kind": kind, "operation": "refund"}


OUTCOMES: Final[dict[str, list[tuple[str | dict[str, Any], str | None, str]]]] = {
    "stripe": [
        ("refund_succeeds", "succeeded", "succeeded"),
        ("refund_pending", "pending", "succeeded"),
        ("refund_stays_pending", "needs_attention", "needs_attention"),
        ("refund_requires_action", "needs_attention", "needs_attention"),
        ("refund_failed", "pending", "failed"),
        ("refund_fails_later", "succeeded", "reversed"),
        ("refund_cancelled", "pending", "failed"),
        (sent_after("timeout_after_acceptance"), None, "succeeded"),
        (sent_after("reset_before_acceptance"), None, "succeeded"),
    ],
    "paystack": [
        ("refund_at_once", "succeeded", "succeeded"),
        ({"kind": "success", "operation": "refund"}, "pending", "succeeded"),
        ("refund_failed", "pending", "failed"),
        ("refund_needs_attention", "pending", "needs_attention"),
        (sent_after("timeout_after_acceptance"), None, "succeeded"),
    ],
    "flutterwave": [
        ("refund_successful", "succeeded", "succeeded"),
        ({"kind": "success", "operation": "refund"}, "pending", "succeeded"),
        ("refund_disburse_failed", "failed", "failed"),
        (sent_after("timeout_after_acceptance"), None, "succeeded"),
    ],
}
"""What is planned, where the refund stands once it was sent (None: it may have been asked), and its end."""


@pytest.mark.parametrize("provider", OUTCOMES)
async def test_every_outcome_of_a_refund_ends_in_its_state_with_the_right_books(
    journey: Journey, tenant: Tenant, provider: str
) -> None:
    stand = await open_stand(journey, tenant, provider)
    payment = await paid(journey, tenant, stand)
    before = await takings(tenant, stand)
    ids = []
    for outcome, at_first, _ in OUTCOMES[provider]:
        id_ = await give_back(journey, tenant, stand, payment, outcome)
        assert at_first in (None, (await read_refund(tenant, id_)).status), outcome
        ids.append(id_)

    await hear(journey, tenant, stand)
    await journey.run(tenant, within=SOON)
    await hear(journey, tenant, stand)
    await journey.run(tenant, within=timedelta(hours=1))

    found = [(await read_refund(tenant, id_)).status for id_ in ids]
    assert found == [end for _, _, end in OUTCOMES[provider]]
    given = PART * found.count("succeeded")
    after = await takings(tenant, stand)
    assert (before.store - after.store, before.holding - after.holding) == (given, given)
    assert len(await refunds(tenant)) == len(ids), "none of ours is taken for somebody else's"
    book = (await journey.sandbox.book_of(provider))["refunded"]
    assert sum(row["amount_minor"] for row in book if row["key"] == stand.key) >= given
    await require_sound_books(tenant)


@pytest.mark.parametrize("provider", ["paystack", "flutterwave"])
async def test_a_refund_sent_late_is_sent_again_only_when_it_can_not_be_on_its_way(
    journey: Journey, tenant: Tenant, provider: str
) -> None:
    stand = await open_stand(journey, tenant, provider)
    payment = await paid(journey, tenant, stand)
    await journey.sandbox.plan(provider, sent_after("timeout_before_acceptance"), key=stand.key)
    refund_id = await asked(journey, tenant, payment)
    journey.clock.skip_to(journey.clock() + timedelta(hours=2))

    await journey.run(tenant, within=timedelta(minutes=11))

    assert (await read_refund(tenant, refund_id)).status == "unknown"
    await journey.run(tenant, within=timedelta(hours=1))
    assert (await read_refund(tenant, refund_id)).status in ("pending", "succeeded")
    assert len((await journey.sandbox.book_of(provider))["refunded"]) == 1


class Refusing(Adapter):
    """A provider that refuses a refund while something else happens."""

    def __init__(self, meanwhile: Callable[[UUID], Awaitable[object]]) -> None:
        self.meanwhile = meanwhile

    async def refund_payment(self, refund: RefundRequest) -> RefundAnswer:
        await self.meanwhile(inside(Kind.REFUND, refund.refund_id))
        raise ProviderRejected("invalid_amount", "Nothing is left.", FailureReason.DECLINED)


async def test_a_refused_call_does_not_bring_back_what_an_earlier_one_gave(
    journey: Journey, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = await open_stand(journey, tenant, "paystack")
    payment = await paid(journey, tenant, stand)
    before = await takings(tenant, stand)
    route = await journey.providers.route(tenant, stand.account_id, "submit_refund")
    refusing = Refusing(lambda id_: tell_refund(tenant, id_, Done("7", kes(PART))))

    async def to_refusing(*_: object) -> Route:
        return replace(route, adapter=refusing)

    monkeypatch.setattr(journey.providers, "route", to_refusing)

    refund_id = await give_back(journey, tenant, stand, payment)

    assert (await read_refund(tenant, refund_id)).status == "succeeded"
    assert before.store - (await takings(tenant, stand)).store == PART


@pytest.mark.parametrize("provider", ["stripe", "flutterwave"])
async def test_a_refund_made_in_the_dashboard_is_written_down_once(
    journey: Journey, tenant: Tenant, provider: str
) -> None:
    stand = await open_stand(journey, tenant, provider)
    payment = await paid(journey, tenant, stand)
    before = await takings(tenant, stand)

    url, key = journey.sandbox.url_of(provider), {"authorization": f"Bearer {stand.key}"}
    async with httpx.AsyncClient(base_url=url, headers=key, trust_env=False) as http:
        if provider == "stripe":
            form = {"payment_intent": payment.provider_reference, "amount": "700"}
            answer = await http.post("/v1/refunds", data=form)
        else:
            answer = await http.post(f"/transactions/{payment.receipt}/refund", json={"amount": 7})
    assert answer.status_code == 200, answer.text
    await hear(journey, tenant, stand)
    await journey.run(tenant, within=SOON)

    (refund,) = await refunds(tenant)
    assert (refund.origin, refund.status, refund.amount_minor) == ("provider", "succeeded", 700)
    assert before.store - (await takings(tenant, stand)).store == 700
    assert await alerts(tenant) == ["refund_unrequested"]
    await require_sound_books(tenant)


async def test_a_dispute_takes_the_money_and_gives_it_back_when_it_is_won(
    journey: Journey, tenant: Tenant
) -> None:
    stand = await open_stand(journey, tenant, "stripe")
    payment = await paid(journey, tenant, stand)
    before = (await takings(tenant, stand)).store

    async def told(step: str, status: str) -> Dispute:
        await journey.sandbox.control(
            "stripe/dispute", reference=payment.provider_reference, step=step, status=status, fee=1_500
        )
        await hear(journey, tenant, stand)
        async with tenant.reading() as session:
            (row,) = await session.scalars(select(Dispute))
        return row

    opened = await told("created", "needs_response")
    assert (opened.status, opened.amount_minor, opened.payment_id) == ("needs_response", 150_000, payment.id)
    await told("funds_withdrawn", "needs_response")
    assert (await takings(tenant, stand)).store == before - 150_000 - 1_500
    await told("closed", "won")
    won = await told("funds_reinstated", "won")

    assert (won.status, (await takings(tenant, stand)).store) == ("won", before)
    assert (await alerts(tenant))[0] == "dispute_opened"
    assert outside(Kind.DISPUTE, won.id).startswith("dsp_")
