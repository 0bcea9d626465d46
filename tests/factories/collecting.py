"""A business's own account at Stripe, Paystack or Flutterwave, in the sandbox, and payments on it."""

import secrets
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import select

from core.collecting import Method
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from owner_db.catalog.providers import point_provider_at
from owner_db.tenants.hooks import register_endpoint
from tenancy.outbox import announce
from tenancy.sessions import Tenant
from tenant_db.credentials.adding import NewProviderAccount, add_provider_account
from tenant_db.credentials.sealing import seal_secrets
from tenant_db.ledger.models import LedgerAccount
from tenant_db.payments.initiating import NewPayment, initiate_payment
from tenant_db.payments.models import Payment
from tenant_db.stores.models import Store
from tests.factories.journeys import Journey
from tests.factories.payments import PHONE, read

EMAIL = "jane@example.com"
KEYS = {"stripe": "sk_test_{}", "paystack": "sk_test_{}", "flutterwave": "FLWSECK_TEST-{}-X"}
HOOK_SECRETS = {"stripe": "webhook_secret", "flutterwave": "webhook_hash"}
"""Paystack signs with the secret key itself."""
CURRENCIES = [Currency.KES, Currency.USD, Currency.NGN]


@dataclass(frozen=True, slots=True)
class Stand:
    """A store with one provider account."""

    provider: str
    store_id: UUID
    account_id: UUID
    key: str
    path: str
    """Where its webhooks are let in."""
    hook_secret: str


async def open_stand(journey: Journey, tenant: Tenant, provider: str, **columns: Any) -> Stand:  # noqa: ANN401 - columns
    """A provider account with keys of its own, known to the sandbox; `columns` are the row's."""
    key, hook_secret = KEYS[provider].format(secrets.token_hex(12)), f"whsec_{secrets.token_hex(12)}"
    token = secrets.token_hex(16)
    store = Store(id=new_id(), name="Mama Njeri", code=new_id().hex, time_zone="Africa/Nairobi")
    sealed = {"secret_key": key, "webhook_token": token}
    if provider in HOOK_SECRETS:
        sealed[HOOK_SECRETS[provider]] = hook_secret
    async with tenant.transaction() as session:
        session.add(store)
        details = {"publishable_key": "pk_test_stand"}
        new = NewProviderAccount(provider, provider.title(), "sandbox", CURRENCIES, details)
        account = await add_provider_account(session, new)
        for name, value in columns.items():
            setattr(account, name, value)
        await seal_secrets(session, journey.services.keyring, account.id, sealed)
    async with journey.services.owner.transaction() as session:
        await point_provider_at(session, provider, journey.sandbox.url_of(provider))
        await register_endpoint(
            session,
            tenant.id,
            sha256(token.encode()).digest(),
            provider=provider,
            purpose="webhook",
            provider_account_id=account.id,
        )
    journey.providers.forget_catalog()
    path = f"/hooks/{token}"
    await journey.sandbox.register_webhook(provider, key=key, url=f"{journey.url}{path}", secret=hook_secret)
    return Stand(provider, store.id, account.id, key, path, hook_secret)


def bill(stand: Stand, **changes: Any) -> NewPayment:  # noqa: ANN401 - fields of a NewPayment
    """An ordinary card payment, but for what the test is about."""
    values: dict[str, Any] = {
        "channel_id": None,
        "provider_account_id": stand.account_id,
        "amount": Money(150_000, Currency.KES),
        "phone": None,
        "description": "Order 1042",
        "method": Method.CARD,
        "store_id": stand.store_id,
        "customer_email": EMAIL,
        "return_url": "https://shop.example.com/thanks",
        **changes,
    }
    if values["method"] is Method.MOBILE_MONEY:
        values["phone"] = values["phone"] or PHONE
    return NewPayment(**values)


async def start(journey: Journey, tenant: Tenant, new: NewPayment) -> Payment:
    """Write the payment and its job; nothing is sent yet."""
    new = replace(new, offers=await journey.providers.offers())
    async with tenant.transaction() as session:
        payment = await initiate_payment(session, new, journey.clock())
        announce(session, "submit_payment", queue="payments", payment_id=str(payment.id))
    return payment


async def collect(
    journey: Journey,
    tenant: Tenant,
    stand: Stand,
    *outcome: str | dict[str, Any],
    **changes: Any,  # noqa: ANN401
) -> Payment:
    """Send a payment that will go this way, and run what is due until it waits."""
    await journey.sandbox.plan(stand.provider, *(outcome or ("success",)), key=stand.key)
    payment = await start(journey, tenant, bill(stand, **changes))
    await journey.run(tenant)
    return await read(tenant, payment.id)


async def hear(journey: Journey, tenant: Tenant, stand: Stand) -> None:
    """Have the provider tell all it has not told yet, and run what follows."""
    await journey.sandbox.release_webhooks(stand.provider, key=stand.key)
    await journey.run(tenant)


@dataclass(frozen=True, slots=True)
class Takings:
    """The balances of one account, in minor units."""

    holding: int
    store: int
    suspense: int


async def takings(tenant: Tenant, stand: Stand) -> Takings:
    place, store = outside(Kind.PROVIDER_ACCOUNT, stand.account_id), outside(Kind.STORE, stand.store_id)
    async with tenant.reading() as session:
        rows = list(await session.scalars(select(LedgerAccount)))
    balances: dict[str, int] = {}
    for row in rows:
        net = row.posted_credits_minor - row.posted_debits_minor
        balances[row.code] = balances.get(row.code, 0) + (net if row.normal_side == "credit" else -net)
    return Takings(
        balances.get(f"holding:{place}", 0),
        balances.get(f"store:{store}:available:{place}", 0),
        balances.get(f"suspense:{place}", 0),
    )
