"""Webhooks reach tenants' systems in order, signed, again and again, and no private address."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from standardwebhooks import Webhook, WebhookVerificationError

from core.clock import utc_now
from core.ids import Kind, new_id, outside
from integrations.errors import FailureReason, ProviderRejected
from jobs.mail_notices import MAIL_DISABLED, tell_of_disabled
from jobs.webhooks import deliver_webhooks
from jobs.work import Done, Later, Result, Work
from owner_db.users.models import User
from tenancy.context import Services
from tenancy.keyring import Keyring
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.alerts.models import Alert
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments.machine import SUBMITTING, SUCCEEDED
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause
from tenant_db.payments.stepping import step
from tenant_db.webhooks import endpoints
from tenant_db.webhooks.endpoints import EndpointInput
from tenant_db.webhooks.errors import TooManyWebhookEndpoints, WebhookEndpointDisabled
from tenant_db.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tenant_db.webhooks.rules import ENDPOINTS_MAX, LADDER, ORDER_WAIT, OVERLAP, WebhookEvent
from tenant_db.webhooks.telling import Happened, tell_endpoints
from tests.factories.payments import initiate, make_shop
from tests.factories.users import make_member
from tests.integrations.scripted import Scripted, answer, scripted_server
from tests.jobs.conftest import MovingClock
from tests.racing import race

HERE = [IPv4Network("127.0.0.0/8")]


@dataclass
class Line:
    """A tenant with one endpoint on a server that answers as told."""

    services: Services
    clock: MovingClock
    tenant: Tenant
    server: Scripted
    endpoint_id: UUID
    secret: str

    async def happen(self, *subjects: str, event: WebhookEvent = WebhookEvent.PAYMENT_SUCCEEDED) -> None:
        for subject in subjects:
            async with self.tenant.transaction() as session:
                tell_endpoints(session, Happened(event, subject, 1, {"id": subject, "amountMinor": "100"}))

    async def run(self, allowed: list[IPv4Network] = HERE) -> Result:
        payload = {"endpoint_id": str(self.endpoint_id)}
        async with self.tenant.transaction() as session:
            await session.execute(update(TenantOutbox).values(state="done"))
        work = Work(self.services, self.tenant, new_id(), "deliver_webhooks", payload, 1)
        return await deliver_webhooks(work, allowed=allowed)

    def told(self) -> list[str]:
        return [body["data"]["id"] for _, body in self.server.received]

    async def endpoint(self) -> WebhookEndpoint:
        async with self.tenant.reading() as session:
            return await session.get_one(WebhookEndpoint, self.endpoint_id)

    async def deliveries(self) -> list[WebhookDelivery]:
        async with self.tenant.reading() as session:
            return list(await session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))


@pytest.fixture
async def line(services: Services, keyring: Keyring, tenant: Tenant) -> AsyncIterator[Line]:
    clock = MovingClock()
    services = replace(services, clock=clock, keyring=keyring)
    async with scripted_server(answer(200, {})) as server:
        new = EndpointInput(f"{server.url}/hooks?a=b", ["payment.succeeded"], may_be_plain=True)
        async with tenant.transaction() as session:
            endpoint, secret = await endpoints.add_endpoint(session, services.keyring, new)
        yield Line(services, clock, tenant, server, endpoint.id, secret)


async def its_people_are_mailed(line: Line) -> None:
    """Who may switch it on again and has proved an address, though another address is refused."""
    for name, role, verified_at in (
        ("refused", Role.OWNER, utc_now()),
        ("developer", Role.DEVELOPER, utc_now()),
        ("cashier", Role.CASHIER, utc_now()),
        ("unproved", Role.OWNER, None),
    ):
        user = await make_member(line.services.owner, line.tenant.id, role, f"{name}@example.com")
        async with line.services.owner.transaction() as of_owner:
            (await of_owner.get_one(User, user.id)).email_verified_at = verified_at
    async with line.tenant.reading() as session:
        left = await session.scalars(select(TenantOutbox).where(TenantOutbox.kind == MAIL_DISABLED))
        payload = {name: str(value) for name, value in left.one().payload.items()}
    mails = []

    async def send(to: str, subject: str, text: str) -> None:
        mails.append((to, subject, text))
        if to.startswith("refused"):
            raise ProviderRejected("550", "no such box", FailureReason.CONFIGURATION)

    work = Work(line.services, line.tenant, new_id(), MAIL_DISABLED, payload, 1)
    assert await tell_of_disabled(work, send) == Done()
    assert [to for to, _, _ in mails] == ["refused@example.com", "developer@example.com"]
    assert payload["endpoint_id"] == str(line.endpoint_id)
    assert "127.0.0.1" in mails[1][2]
    assert "a=b" not in mails[1][2], "an address may hold a secret"


def verify(line: Line, secret: str, at: int = -1) -> Any:  # noqa: ANN401 - JSON
    body = json.dumps(line.server.received[at][1], separators=(",", ":"), ensure_ascii=False)
    return Webhook(secret).verify(body, line.server.headers[at])


async def test_a_message_is_signed_as_standard_webhooks_says_and_told_once(line: Line) -> None:
    await line.happen("pay_1")
    await line.happen("pay_1x", event=WebhookEvent.PAYMENT_FAILED)

    assert await line.run() == Done()
    assert await line.run() == Done()

    (message,) = await line.deliveries()
    assert line.told() == ["pay_1"]
    assert verify(line, line.secret)["type"] == "payment.succeeded"
    assert line.server.headers[0]["webhook-id"] == outside(Kind.WEBHOOK_DELIVERY, message.id)
    assert (message.state, message.tries) == ("delivered", 1)
    with pytest.raises(WebhookVerificationError):
        verify(line, "whsec_" + "A" * 44)


async def test_what_a_payment_came_to_is_told_in_its_own_transaction(line: Line) -> None:
    shop = await make_shop(line.tenant)
    payment = await initiate(line.tenant, shop, order_reference="order 7")

    with pytest.raises(ZeroDivisionError):
        async with line.tenant.transaction() as session:
            step(session, await session.get_one(Payment, payment.id), SUBMITTING, Cause.JOB)
            step(session, await session.get_one(Payment, payment.id), SUCCEEDED, Cause.JOB)
            raise ZeroDivisionError
    assert await line.deliveries() == []
    async with line.tenant.transaction() as session:
        step(session, await session.get_one(Payment, payment.id), SUBMITTING, Cause.JOB)
        step(session, await session.get_one(Payment, payment.id), SUCCEEDED, Cause.JOB)

    (message,) = await line.deliveries()
    assert message.payload["orderReference"] == "order 7"
    assert message.payload["amountMinor"] == str(payment.amount_minor)


async def test_messages_keep_their_order_while_one_fails_but_not_for_ever(line: Line) -> None:
    await line.happen("pay_1", "pay_2")
    line.server.answers = [answer(500, "down"), answer(200, {})]

    waiting = await line.run()

    assert isinstance(waiting, Later)
    assert line.told() == ["pay_1"], "the second one waits for the first"
    line.clock.ahead += timedelta(seconds=6)
    assert await line.run() == Done()
    assert line.told() == ["pay_1", "pay_1", "pay_2"]
    line.server.answers = [answer(500, "down"), answer(500, "down"), answer(200, {})]
    await line.happen("pay_3", "pay_4")
    await line.run()
    line.clock.ahead += timedelta(seconds=6)
    await line.run()
    assert line.told()[3:] == ["pay_3", "pay_3"]
    line.clock.ahead += ORDER_WAIT

    assert isinstance(await line.run(), Later)

    assert line.told()[5:] == ["pay_4"], "after a minute the others pass"
    assert [message.state for message in await line.deliveries()][2:] == ["pending", "delivered"]


async def test_an_endpoint_that_fails_for_days_is_disabled_and_can_be_enabled_again(line: Line) -> None:
    line.server.answers = [answer(503, "no")]
    await line.happen("pay_1")

    for pause in LADDER:
        assert isinstance(await line.run(), Later)
        line.clock.ahead += pause + timedelta(seconds=1)
    assert await line.run() == Done()

    endpoint = await line.endpoint()
    assert (endpoint.is_enabled, endpoint.disabled_reason) == (False, "failing")
    async with line.tenant.reading() as session:
        (alert,) = (await session.scalars(select(Alert))).all()
    assert (alert.kind, alert.subject) == ("webhook_disabled", outside(Kind.WEBHOOK_ENDPOINT, endpoint.id))
    await its_people_are_mailed(line)
    (message,) = await line.deliveries()
    assert (message.state, message.tries) == ("failed", len(LADDER) + 1)
    async with line.tenant.reading() as session:
        tries = (await session.scalars(select(WebhookAttempt))).all()
    assert {(row.status, row.response) for row in tries} == {(503, "no")}
    await line.happen("pay_2")
    assert len(await line.deliveries()) == 1, "a disabled endpoint is told nothing"
    with pytest.raises(WebhookEndpointDisabled):
        async with line.tenant.transaction() as session:
            await endpoints.redeliver(session, message.id)
    line.server.answers = [answer(204, "")]
    async with line.tenant.transaction() as session:
        await endpoints.enable_endpoint(session, line.endpoint_id)
        await endpoints.redeliver(session, message.id)

    assert await line.run() == Done()

    assert {headers["webhook-id"] for headers in line.server.headers} == {
        outside(Kind.WEBHOOK_DELIVERY, message.id)
    }
    assert [row.state for row in await line.deliveries()] == ["delivered"]


async def test_gone_disables_at_once_and_a_redirect_is_a_failure(line: Line) -> None:
    line.server.answers = [answer(302, "", location="http://127.0.0.1:1/"), answer(410, "")]
    await line.happen("pay_1")

    assert isinstance(await line.run(), Later)
    line.clock.ahead += timedelta(seconds=6)
    assert await line.run() == Done()

    assert (await line.endpoint()).disabled_reason == "gone"
    assert len(line.server.received) == 2


async def test_a_replaced_secret_still_signs_for_a_day(line: Line) -> None:
    async with line.tenant.transaction() as session:
        now = line.clock()
        _, fresh = await endpoints.rotate_secret(session, line.services.keyring, line.endpoint_id, now)
    await line.happen("pay_1")
    await line.run()

    assert verify(line, line.secret) == verify(line, fresh)
    async with line.tenant.transaction() as session:
        row = await session.get_one(WebhookEndpoint, line.endpoint_id)
        row.previous_until = line.clock() - OVERLAP
    await line.happen("pay_2")
    await line.run()
    assert verify(line, fresh)
    with pytest.raises(WebhookVerificationError):
        verify(line, line.secret)
    stored = repr((await line.endpoint()).__dict__)
    assert line.secret not in stored
    assert fresh not in stored


async def test_two_runs_deliver_each_message_once(line: Line) -> None:
    await line.happen(*(f"pay_{number}" for number in range(5)))

    held = select(WebhookEndpoint.id).with_for_update()
    ended = await race(line.tenant, held, [line.run, line.run])

    assert sorted(type(result).__name__ for result in ended) == ["Done", "Later"]
    assert line.told() == [f"pay_{number}" for number in range(5)]


async def test_nothing_is_sent_into_a_private_network(line: Line) -> None:
    await line.happen("pay_1")

    assert isinstance(await line.run(allowed=[]), Later)

    assert line.server.received == []
    async with line.tenant.reading() as session:
        (tried,) = (await session.scalars(select(WebhookAttempt))).all()
    assert tried.error is not None
    assert "public internet" in tried.error


async def test_there_are_never_more_endpoints_than_a_business_may_have(line: Line) -> None:
    new = EndpointInput("https://shop.example.com/", ["payment.failed"])

    async def add() -> UUID:
        async with line.tenant.transaction() as session:
            return (await endpoints.add_endpoint(session, line.services.keyring, new))[0].id

    for _ in range(ENDPOINTS_MAX - 2):
        await add()
    turn = select(func.pg_advisory_xact_lock(func.hashtextextended(endpoints.TABLE, 0)))
    made = await race(line.tenant, turn, [add, add, add])

    assert sum(isinstance(one, TooManyWebhookEndpoints) for one in made) == 2
