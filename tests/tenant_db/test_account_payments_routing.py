"""A payment that moves to another account stays in its environment."""

from core.clock import utc_now
from core.collecting import Feature, Method
from core.currency import Currency
from core.ids import new_id
from core.money import Money
from core.offers import CurrencyLimits, Offer
from tenancy.context import Services
from tenancy.sessions import Tenant
from tenant_db.credentials.models import ProviderAccount
from tenant_db.payments.initiating import initiate_payment
from tenant_db.payments.models import Payment
from tenant_db.payments.rerouting import next_account
from tenant_db.stores.models import Store
from tests.factories.collecting import Stand, bill

OFFERS = {
    "stripe": Offer(
        provider="stripe",
        name="Stripe",
        methods=frozenset({Method.CARD}),
        features=frozenset({Feature.COLLECT}),
        currencies={Currency.KES: CurrencyLimits(1, None)},
        recommendation=1,
        takes_payments=True,
        takes_accounts=True,
    )
}


def account(environment: str) -> ProviderAccount:
    return ProviderAccount(
        id=new_id(),
        provider="stripe",
        name=f"Stripe, {environment}",
        environment=environment,
        currencies=["KES"],
        configuration={},
    )


async def test_a_payment_never_moves_into_a_sandbox_nor_out_of_one(
    services: Services, tenant: Tenant
) -> None:
    store = Store(id=new_id(), name="Mama Njeri", code=new_id().hex, time_zone="Africa/Nairobi")
    live, trial = account("production"), account("sandbox")
    async with tenant.transaction() as session:
        session.add_all([store, live, trial])
    for ours, switched_off in ((live, trial), (trial, live)):
        stand = Stand("stripe", store.id, ours.id, "", "", "")
        async with tenant.transaction() as session:
            payment = await initiate_payment(
                session, bill(stand, amount=Money(500, Currency.KES), routed_by_us=True), utc_now()
            )
        async with tenant.transaction() as session:
            row = await session.get_one(Payment, payment.id)
            row.tried_account_ids = [ours.id]
            (await session.get_one(ProviderAccount, ours.id)).is_enabled = False
            (await session.get_one(ProviderAccount, switched_off.id)).is_enabled = True
        async with tenant.reading() as session:
            assert await next_account(session, payment.id, OFFERS, services.circuits) is None
        async with tenant.transaction() as session:
            (await session.get_one(ProviderAccount, switched_off.id)).is_enabled = True
            (await session.get_one(ProviderAccount, ours.id)).is_enabled = True
