"""The jobs of payments and channels: what they leave behind beside the payment itself."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio
from sqlalchemy import select, update
from structlog.testing import capture_logs

from integrations.sandbox import demo
from owner_db.catalog.models import PaymentProvider
from owner_db.tenants.models import ShortCode
from owner_db.tenants.short_codes import claim_short_code
from tenancy.columns import AuditColumns
from tenancy.outbox import announce
from tenancy.sessions import OwnerDatabase, Tenant
from tenancy.shapes import model_of
from tenant_db.calls.models import ProviderCall
from tenant_db.channels import verifying
from tenant_db.channels.models import Channel
from tests.databases import PostgresServer
from tests.factories.journeys import Journey, running_journey
from tests.factories.payments import PHONE, read
from tests.jobs.conftest import row_of


@pytest.fixture
async def journey(
    owner: OwnerDatabase, tenant: Tenant, redis_client: redis.asyncio.Redis, tmp_path: Path
) -> AsyncIterator[Journey]:
    async with running_journey(owner, [tenant], redis_client, tmp_path) as running:
        yield running


async def calls(tenant: Tenant) -> list[ProviderCall]:
    async with tenant.reading() as session:
        return list(await session.scalars(select(ProviderCall).order_by(ProviderCall.id)))


async def verify(journey: Journey, tenant: Tenant, channel: Channel) -> Channel:
    async with tenant.transaction() as session:
        await verifying.start_verification(session, channel.id)
        announce(session, "verify_channel", queue="platform", channel_id=str(channel.id))
    await journey.run(tenant)
    async with tenant.reading() as session:
        return await session.get_one(Channel, channel.id)


async def test_every_call_is_logged_without_secrets_paths_or_phones(journey: Journey, tenant: Tenant) -> None:
    await journey.open_shop(tenant)
    payment = await journey.pay(tenant, "success")

    found = await calls(tenant)

    assert {call.operation for call in found} == {"token", "stk_query", "c2b_register", "stk_push"}
    (push,) = [call for call in found if call.operation == "stk_push"]
    assert (push.subject_id, push.status, push.outcome) == (payment.id, 200, "answered")
    (prompt,) = await journey.prompts(payment)
    written = " ".join(f"{call.path} {call.request} {call.response}" for call in found)
    for secret in (
        demo.DEMO_CONSUMER_KEY,
        demo.DEMO_CONSUMER_SECRET,
        demo.DEMO_PASSKEY,
        PHONE.digits,
        *prompt["callback_url"].split("/")[-2:],
    ):
        assert secret not in written


async def test_nobody_asks_about_a_payment_that_has_ended(journey: Journey, tenant: Tenant) -> None:
    await journey.open_shop(tenant)

    payment = await journey.pay(tenant, "insufficient_funds", order_reference="A-1")

    assert (await journey.tell(tenant, payment)).status == "failed"
    asking = await row_of(tenant, payment.id)
    assert (asking.kind, asking.queue) == ("poll_payment", "questions")
    assert (asking.state, asking.attempts) == ("done", 0)


async def test_opening_a_channels_secrets_leaves_an_audit_row(journey: Journey, tenant: Tenant) -> None:
    await journey.open_shop(tenant)

    async with tenant.reading() as session:
        model = model_of(session, AuditColumns)
        (row,) = await session.scalars(select(model).where(model.action == "open_secrets"))
    assert row.details == {"purpose": "verify_channel"}


async def test_keys_that_daraja_takes_verify_the_channel_and_register_its_urls(
    journey: Journey, tenant: Tenant
) -> None:
    channel = await verify(journey, tenant, await journey.add_channel(tenant))

    assert (channel.status, channel.proof, channel.refusal) == ("verified", "keys", None)
    (urls,) = (await journey.sandbox.book())["urls"]
    assert urls["confirmation_url"].startswith(f"{journey.url}/hooks/")
    assert urls["response_type"] == "Completed"


async def test_a_wrong_passkey_is_said_in_words_for_the_tenant(journey: Journey, tenant: Tenant) -> None:
    channel = await verify(journey, tenant, await journey.add_channel(tenant, passkey="wrong"))

    assert channel.status == "refused"
    assert "passkey" in (channel.refusal or "")


async def test_a_provider_that_is_switched_off_fails_the_payment_and_sends_nothing(
    journey: Journey, tenant: Tenant, owner: OwnerDatabase
) -> None:
    await journey.open_shop(tenant)
    async with owner.transaction() as session:
        await session.execute(update(PaymentProvider).values(is_enabled=False))
    journey.providers.forget_catalog()

    payment = await journey.pay(tenant)

    after = await read(tenant, payment.id)
    assert (after.status, after.failure_code) == ("failed", "configuration")
    assert await journey.prompts(payment) == []


async def test_a_production_short_code_belongs_to_who_proved_it_first(
    journey: Journey, tenant: Tenant, second_tenant: Tenant, owner: OwnerDatabase
) -> None:
    channel = await journey.add_channel(tenant)
    async with owner.transaction() as session:
        assert await claim_short_code(session, "mpesa", "600000", tenant.id, channel.id)
        assert await claim_short_code(session, "mpesa", "600000", tenant.id, channel.id)
    async with owner.transaction() as session:
        # Never registered here, and refused before its existence matters.
        assert not await claim_short_code(session, "mpesa", "600000", second_tenant.id, channel.id)
    async with owner.reading() as session:
        assert len(list(await session.scalars(select(ShortCode)))) == 1


async def test_what_the_provider_answered_outlives_an_outage_of_the_database(
    journey: Journey, tenant: Tenant, postgres: PostgresServer
) -> None:
    await journey.open_shop(tenant)
    await journey.sandbox.control_next({"kind": "timeout_after_acceptance", "callback": "withheld"})
    payment = await journey.initiate(tenant)
    administrator = await postgres.connect_as_superuser()

    with capture_logs() as lines:
        running = asyncio.create_task(journey.run(tenant))
        while not await journey.prompts(payment):
            assert not running.done()
        await administrator.execute(f'ALTER DATABASE "{tenant.ref.database}" ALLOW_CONNECTIONS false')
        await administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", tenant.ref.database
        )
        while not [line for line in lines if line["event"] == "outcome_not_recorded_yet"]:  # noqa: ASYNC110 - the log line is the event
            await asyncio.sleep(0)
        await administrator.execute(f'ALTER DATABASE "{tenant.ref.database}" ALLOW_CONNECTIONS true')
        await running
    await administrator.close()

    after = await read(tenant, payment.id)
    assert (after.status, after.version) == ("unknown", 3)
    assert [call.outcome for call in await calls(tenant)].count("unknown") == 1
