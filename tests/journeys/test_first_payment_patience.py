"""Money that was told of is waited for, and an open payment reaches a person, whatever is away."""

from datetime import timedelta

from sqlalchemy import update

from owner_db.catalog.models import PaymentProvider
from tenancy.sessions import OwnerDatabase, Tenant
from tenant_db.credentials.models import ProviderAccount, SealedSecret
from tests.factories.journeys import Journey
from tests.factories.payments import books, read
from tests.factories.telling import CREDITED

OUTAGE = timedelta(hours=12)


async def switch_provider(owner: OwnerDatabase, journey: Journey, *, on: bool) -> None:
    async with owner.transaction() as session:
        await session.execute(update(PaymentProvider).values(is_enabled=on))
    journey.providers.forget_catalog()


async def test_a_callback_that_needs_the_providers_word_waits_for_it_all_day(
    journey: Journey, tenant: Tenant, owner: OwnerDatabase
) -> None:
    shop = await journey.open_shop(tenant)
    way = {"kind": "timeout_after_acceptance", "callback": "withheld", "c2b": "never"}
    payment = await journey.pay(tenant, way)
    assert (await read(tenant, payment.id)).status == "unknown"

    await switch_provider(owner, journey, on=False)
    await journey.tell(tenant, payment)
    await journey.run(tenant, within=OUTAGE)
    await switch_provider(owner, journey, on=True)
    await journey.run(tenant, within=timedelta(hours=1))

    assert (await read(tenant, payment.id)).status == "succeeded"
    assert await books(tenant, shop) == CREDITED


async def test_a_payment_whose_keys_can_not_be_opened_is_shown_to_a_person_after_a_day(
    journey: Journey, tenant: Tenant
) -> None:
    await journey.open_shop(tenant)
    way = {"kind": "withheld_callback", "query": "pending", "c2b": "never"}
    payment = await journey.pay(tenant, way)
    async with tenant.transaction() as session:
        await session.execute(
            update(ProviderAccount).values(secrets_version=ProviderAccount.secrets_version + 1)
        )
        await session.execute(update(SealedSecret).values(sealed="v1.1.broken.broken"))

    await journey.run(tenant, within=timedelta(hours=25))

    after = await read(tenant, payment.id)
    assert (after.status, after.needs_review) == ("pending", True)
