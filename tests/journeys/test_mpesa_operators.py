"""What M-Pesa answers later: the proof by balance, reversals, and receipts that are looked up."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from sqlalchemy import select, update

from core.currency import Currency
from core.money import Money
from core.phone import Phone
from integrations.sandbox import demo
from jobs.mpesa_pull import announce_pulls
from tenancy.outbox import announce
from tenancy.sessions import Tenant
from tenant_db.channels import adding, verifying
from tenant_db.channels.mapping import AccountPattern, NewAccount, map_account
from tenant_db.channels.models import Channel, ProviderRequest
from tenant_db.channels.registering import request_urls
from tenant_db.channels.rules import OperatorKeys
from tenant_db.payments.models import Payment
from tenant_db.refunds.models import Refund
from tests.factories import refunds
from tests.factories.channels import OPERATOR
from tests.factories.journeys import Journey
from tests.factories.outcomes import Standing, standing_of
from tests.factories.payments import Books, Shop, books, read
from tests.factories.prompts import callback_of


async def channel_of(tenant: Tenant, id: UUID) -> Channel:
    async with tenant.reading() as session:
        return await session.get_one(Channel, id)


async def verify(journey: Journey, tenant: Tenant, channel: Channel, operator: OperatorKeys) -> Channel:
    """Give the channel an operator, and have it proven the best way."""
    async with tenant.transaction() as session:
        await adding.set_operator(session, journey.services.keyring, channel.id, operator)
        await verifying.start_verification(session, channel.id)
        announce(session, "verify_channel", queue="platform", channel_id=str(channel.id), proof="best")
    await journey.run(tenant)
    await journey.sandbox.release()
    await journey.run(tenant)
    return await channel_of(tenant, channel.id)


async def paid_shop(journey: Journey, tenant: Tenant) -> tuple[Shop, Payment]:
    """A shop with an operator, and one payment that was paid."""
    shop = await journey.open_shop(tenant)
    async with tenant.transaction() as session:
        await adding.set_operator(session, journey.services.keyring, shop.channel_id, OPERATOR)
    payment = await journey.pay(tenant)
    return shop, await journey.tell(tenant, payment)


async def give_back(journey: Journey, tenant: Tenant, payment: Payment, *outcomes: str) -> Refund:
    """Refund the whole payment, its reversals going these ways, and run what follows."""
    if outcomes:
        await journey.sandbox.plan("mpesa", *outcomes, operation="reversal")
    refund = await refunds.request(tenant, payment.id, None)
    async with tenant.transaction() as session:
        announce(session, "submit_refund", queue="payments", refund_id=str(refund.id))
    return await settle(journey, tenant, refund)


async def settle(journey: Journey, tenant: Tenant, refund: Refund, within: timedelta = timedelta()) -> Refund:
    for _ in range(2):
        await journey.run(tenant, within)
        if within:
            await journey.sandbox.release()
    await journey.run(tenant)
    return await refunds.read(tenant, refund.id)


async def test_a_channel_is_proven_by_its_balance_and_collects_by_itself(
    journey: Journey, tenant: Tenant
) -> None:
    channel = await journey.add_channel(tenant)
    async with tenant.transaction() as session:
        row = await session.get_one(Channel, channel.id)
        row.activates_itself = True

    shown = await verify(journey, tenant, channel, OPERATOR)

    assert (shown.status, shown.proof, shown.urls_state) == ("active", "balance", "registered")
    assert shown.balance == Money(150_000, Currency.KES)


async def test_an_operator_that_is_refused_proves_nothing_and_is_not_tried_again(
    journey: Journey, tenant: Tenant
) -> None:
    channel = await journey.add_channel(tenant)

    shown = await verify(journey, tenant, channel, OperatorKeys(demo.DEMO_INITIATOR, "wrong"))

    assert (shown.status, shown.proof) == ("refused", None)
    assert shown.refusal is not None
    assert "operator" in shown.refusal
    asked = (await journey.sandbox.book())["requests"]
    assert [row["result_code"] for row in asked] == ["2001"]


@pytest.mark.parametrize("outcome", ["missing_result", "queue_timeout_before"])
async def test_a_balance_that_is_never_told_ends_the_verification(
    journey: Journey, tenant: Tenant, outcome: str
) -> None:
    channel = await journey.add_channel(tenant)
    await journey.sandbox.plan("mpesa", outcome, operation="account_balance")
    async with tenant.transaction() as session:
        await adding.set_operator(session, journey.services.keyring, channel.id, OPERATOR)
        await verifying.start_verification(session, channel.id)
        announce(session, "verify_channel", queue="platform", channel_id=str(channel.id), proof="best")

    await journey.run(tenant, timedelta(minutes=3))

    shown = await channel_of(tenant, channel.id)
    assert (shown.status, shown.proof) == ("refused", None)
    async with tenant.reading() as session:
        states = await session.scalars(select(ProviderRequest.state))
        assert set(states) == {"timed_out"}


async def test_a_refund_is_reversed_and_settles_when_its_result_comes(
    journey: Journey, tenant: Tenant
) -> None:
    shop, payment = await paid_shop(journey, tenant)

    refund = await give_back(journey, tenant, payment)
    if refund.status == "pending":
        refund = await settle(journey, tenant, refund, timedelta(seconds=1))

    assert refund.status == "succeeded"
    (back,) = (await journey.sandbox.book())["refunded"]
    assert back["receipt"] == payment.receipt
    assert await books(tenant, shop) == Books(0, 0, 0)


OPEN: Mapping[str, Any] = {"kind": "withheld_callback", "query": "pending", "c2b": "never"}
VOUCHED: Standing = Standing("succeeded", credited=150_000)
LOOKED_UP: Mapping[str, tuple[list[str | dict[str, str]], Standing, str | None]] = {
    "success": ([], VOUCHED, "answered"),
    "busy": (["busy"], VOUCHED, "answered"),
    "server error": (["server_error_before_acceptance"], VOUCHED, "answered"),
    "told twice": (["duplicate_result"], VOUCHED, "answered"),
    "another amount": (["tampered_result"], Standing("pending", review="contradiction"), "answered"),
    "not paid": ([{"kind": "success", "word": "Failed"}], Standing("pending"), "answered"),
    "no such receipt": (["unlisted_code"], Standing("pending"), "answered"),
    "refused": (["refused"], Standing("pending"), "refused"),
    "never told": (["missing_result"], Standing("pending"), "timed_out"),
}
"""How the question for a receipt goes, where its payment stands then, and where the last request does."""


async def test_a_receipt_whose_callback_does_not_fit_is_looked_up(journey: Journey, tenant: Tenant) -> None:
    shop = await journey.open_shop(tenant)
    async with tenant.transaction() as session:
        await adding.set_operator(session, journey.services.keyring, shop.channel_id, OPERATOR)
    payments, receipts = {}, {}
    for number, (name, (ways, _, _)) in enumerate(LOOKED_UP.items()):
        phone = Phone(f"+254{722_000_000 + number}")
        await journey.sandbox.control_next(dict(OPEN), phone=phone.digits)
        payments[name] = await journey.initiate(tenant, phone=phone)
        await journey.run(tenant)
        (prompt,) = await journey.prompts(payments[name])
        receipts[name] = prompt["receipt"]
        await journey.sandbox.plan("mpesa", *ways, operation="transaction_status", subject=prompt["receipt"])
        told = await callback_of(journey, payments[name], amount=1_499, receipt=prompt["receipt"])
        await journey.post(*told)
        await journey.run(tenant)
    await journey.run(tenant, timedelta(minutes=3))
    for name, receipt in receipts.items():
        if name != "never told":
            await journey.sandbox.release(reference=receipt)
    await journey.run(tenant)

    found = {name: await _looked_up(tenant, payment) for name, payment in payments.items()}
    assert found == {name: (standing, state) for name, (_, standing, state) in LOOKED_UP.items()}
    paid = [name for name, (_, standing, _) in LOOKED_UP.items() if standing == VOUCHED]
    for name in paid:
        assert (await read(tenant, payments[name].id)).receipt == receipts[name]
    credited = len(paid) * 150_000
    # M-Pesa vouches for one shilling of another: it is somebody's, and people are asked whose.
    assert await books(tenant, shop) == Books(credited + 100, credited, 100)


async def _looked_up(tenant: Tenant, payment: Payment) -> tuple[Standing, str | None]:
    async with tenant.reading() as session:
        last = await session.scalar(
            select(ProviderRequest.state)
            .where(ProviderRequest.subject_id == payment.id)
            .order_by(ProviderRequest.id.desc())
            .limit(1)
        )
    return await standing_of(tenant, payment.id), last


def forged(change: Mapping[str, Any]) -> bytes:
    return json.dumps(
        {"Result": {"ResultCode": 0, "ResultDesc": "ok", "ConversationID": "AG_1", **change}}
    ).encode()


async def test_a_forged_result_gives_nothing_back(journey: Journey, tenant: Tenant) -> None:
    _, payment = await paid_shop(journey, tenant)
    refund = await give_back(journey, tenant, payment, "withheld_result")
    (taken,) = (await journey.sandbox.book())["requests"]
    path = urlsplit(taken["result_url"]).path

    ours = {"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": taken["result_url"]}}
    truth = forged({"ConversationID": taken["id"], "ReferenceData": ours})
    for where, body in (
        (path, forged({})),
        (path, b"{}"),
        (path, b"no json"),
        (path.removesuffix("r"), truth),
        (f"{path.rpartition('/')[0]}/{'0' * 32}r", truth),
    ):
        assert (await journey.post(where, body)).status_code == 200
    await journey.run(tenant)

    assert (await refunds.read(tenant, refund.id)).status == "pending"
    states = {message.state for message in (await journey.messages(tenant))[-5:]}
    assert states == {"quarantined"}
    # M-Pesa repeats our own addresses, which are secrets.
    kept = [message.body for message in await journey.messages(tenant)]
    assert not any(path.rpartition("/")[2].encode() in body for body in kept)
    await journey.post(path, truth)
    await journey.run(tenant)
    assert (await refunds.read(tenant, refund.id)).status == "succeeded"


async def put(tenant: Tenant, refund: Refund, status: str) -> None:
    async with tenant.transaction() as session:
        await session.execute(update(Refund).where(Refund.id == refund.id).values(status=status))


async def test_a_reversal_that_was_made_before_is_looked_up_and_never_sent_again(
    journey: Journey, tenant: Tenant
) -> None:
    _, payment = await paid_shop(journey, tenant)
    refund = await give_back(journey, tenant, payment, "withheld_result")
    (taken,) = (await journey.sandbox.book())["requests"]
    repeat = forged({"ConversationID": taken["id"], "ResultCode": "R000001"})
    completed = {"kind": "success", "word": "Completed", "operation": "transaction_status"}
    await journey.sandbox.plan("mpesa", *[completed] * 12, subject=payment.receipt)

    # It comes while our own request is still being answered.
    await put(tenant, refund, "submitting")
    await journey.post(urlsplit(taken["result_url"]).path, repeat)
    await journey.run(tenant)
    assert (await refunds.read(tenant, refund.id)).status == "submitting"
    await put(tenant, refund, "pending")
    await journey.run(tenant, timedelta(hours=3))

    after = await refunds.read(tenant, refund.id)
    assert (after.status, after.provider_reference) == ("unknown", None)
    assert after.attention == "This receipt is reversed already."
    asked = [row["operation"] for row in (await journey.sandbox.book())["requests"]]
    assert asked.count("reversal") == 1


async def test_a_payment_by_hand_that_was_missed_is_pulled_once(journey: Journey, tenant: Tenant) -> None:
    shop = await journey.open_shop(tenant)
    async with tenant.transaction() as session:
        await map_account(session, shop.channel_id, NewAccount(AccountPattern.of("*"), shop.store_id))
        await request_urls(session, shop.channel_id, Phone.parse("+254700000001"))
        announce(session, "register_channel_urls", queue="platform", channel_id=str(shop.channel_id))
    await journey.run(tenant)
    ref = journey.registry.refs.pop(tenant.id)
    told = await journey.sandbox.pay_by_hand(demo.DEMO_PAYBILL, "250", "254700000001", "TABLE 4")
    journey.registry.refs[tenant.id] = ref
    assert told["told"] == ["confirmation: 404"]
    assert await books(tenant, shop) == Books(0, 0, 0)
    journey.clock.ahead += timedelta(hours=1)

    for _ in range(2):
        async with tenant.transaction() as session:
            await announce_pulls(session)
        await journey.run(tenant)

    assert await books(tenant, shop) == Books(25_000, 25_000, 0)
