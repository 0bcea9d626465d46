"""A payment through the sandbox over HTTP: each documented way ends in its documented state."""

from tenancy.sessions import Tenant
from tests.factories.journeys import Journey
from tests.factories.payments import books, read
from tests.factories.telling import CREDITED


async def test_a_prompt_that_is_paid_credits_the_store(journey: Journey, tenant: Tenant) -> None:
    shop = await journey.open_shop(tenant)

    payment = await journey.pay(tenant)
    assert (await read(tenant, payment.id)).status in {"pending", "succeeded"}
    after = await journey.tell(tenant, payment)

    (prompt,) = await journey.prompts(payment)
    assert (after.status, after.receipt) == ("succeeded", prompt["receipt"])
    assert after.provider_reference == prompt["id"]
    assert await books(tenant, shop) == CREDITED
    assert {message.state for message in await journey.messages(tenant)} == {"processed"}
