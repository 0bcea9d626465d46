"""The jobs of payments and channels: what they leave behind beside the payment itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio
from sqlalchemy import select, update

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
from tests.factories.journeys import Journey, running_journey
from tests.factories.payments import PHONE, read


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
