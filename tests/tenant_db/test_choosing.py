"""Routing over the accounts and channels that a tenant really has."""

from dataclasses import replace

from core.collecting import Feature, Method
from core.currency import Currency
from core.money import Money
from core.offers import CurrencyLimits, Offer
from tenancy.keyring import Keyring
from tenancy.sessions import Tenant
from tenant_db.credentials import switching
from tenant_db.routing.choosing import Choice, RoutingReason, Wanted, choose
from tests.factories.channels import make_active_channel, make_channel
from tests.factories.provider_accounts import make_enabled_account, make_provider_account
from tests.factories.stores import make_store

KES = Currency.KES
STRIPE = Offer(
    provider="stripe",
    name="Stripe",
    methods=frozenset({Method.CARD}),
    features=frozenset({Feature.COLLECT}),
    currencies={KES: CurrencyLimits(100, None)},
    recommendation=30,
    takes_payments=True,
    takes_accounts=True,
)
MPESA = replace(STRIPE, provider="mpesa", name="M-Pesa", recommendation=10, needs_channel=True)
OFFERS = {"mpesa": MPESA, "stripe": STRIPE}


async def test_each_account_and_channel_is_considered_as_it_is(tenant: Tenant, keyring: Keyring) -> None:
    store, other = await make_store(tenant), await make_store(tenant, code="other")
    far = await make_active_channel(tenant, keyring, other.id, short_code="600001")
    near = await make_active_channel(tenant, keyring, store.id, short_code="600002")
    draft = await make_channel(tenant, keyring, store.id, short_code="600003")
    cards = await make_enabled_account(tenant, keyring)
    off = await make_provider_account(tenant, keyring, name="Off")
    ids = {near.provider_account_id: "near", far.provider_account_id: "far", cards.id: "cards"}
    ids |= {draft.provider_account_id: "draft", off.id: "off"}

    def seen(choice: Choice) -> list[tuple[str, RoutingReason]]:
        return [(ids[one.candidate.account_id], one.reason) for one in choice.considered]

    wanted = Wanted(Money(5_000, KES), None, store.id)
    async with tenant.reading() as session:
        first = await choose(session, wanted, OFFERS, frozenset())
    assert seen(first) == [
        ("near", RoutingReason.CHOSEN),
        ("far", RoutingReason.RANKED_LOWER),
        ("cards", RoutingReason.RANKED_LOWER),
        ("off", RoutingReason.ACCOUNT_DISABLED),
        ("draft", RoutingReason.CHANNEL_NOT_ACTIVE),
    ]
    assert first.chosen is not None
    assert first.chosen.channel is not None
    assert (first.chosen.channel.id, first.chosen.channel.store_id) == (near.id, store.id)

    async with tenant.transaction() as session:
        await switching.set_default(session, cards.id)
    async with tenant.reading() as session:
        after = await choose(session, wanted, OFFERS, frozenset())
        broken = await choose(session, wanted, OFFERS, {cards.id})
    assert seen(after)[0] == ("cards", RoutingReason.CHOSEN)
    assert seen(broken)[0] == ("near", RoutingReason.CHOSEN)
