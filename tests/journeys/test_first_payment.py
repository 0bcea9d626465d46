"""A payment through the sandbox over HTTP: each documented way ends in its documented state."""

import pytest

from tenancy.sessions import Tenant
from tests.factories.journeys import Journey
from tests.factories.payments import books, read
from tests.factories.telling import CREDITED, NOTHING


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


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        ("cancelled", "cancelled", "cancelled_by_payer"),
        ("insufficient_funds", "failed", "insufficient_funds"),
        ("wrong_pin", "failed", "wrong_pin"),
        ("not_permitted", "failed", "configuration"),
        ("unreachable", "failed", "no_answer"),
        ("expired", "failed", "no_answer"),
        ("session_open", "failed", "payer_busy"),
    ],
)
async def test_a_prompt_that_comes_to_nothing_moves_no_money(
    journey: Journey, tenant: Tenant, outcome: str, status: str, code: str
) -> None:
    shop = await journey.open_shop(tenant)

    payment = await journey.pay(tenant, outcome)
    after = await journey.tell(tenant, payment)

    assert (after.status, after.failure_code) == (status, code)
    assert await books(tenant, shop) == NOTHING
