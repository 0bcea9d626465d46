"""Which provider account collects a payment, and why."""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import exists, select

from core.collecting import Feature, Method
from core.currency import Currency
from core.errors import NotFound
from core.money import Money
from core.offers import CurrencyLimits, Offer
from owner_db.catalog.providers import offers as offers_of
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.routing.choosing import Choice, Wanted, candidates, decide
from tenant_db.routing.rules import Candidate
from tenant_db.stores.models import Store

ANY_AMOUNT = CurrencyLimits(1, None)


async def offers(context: TenantContext) -> Mapping[str, Offer]:
    """What the catalog offers, by the provider's code: all of it, whatever the status."""
    async with context.services.owner.reading() as session:
        return await offers_of(session)


async def explain_routing(context: TenantContext, wanted: Wanted) -> Choice:
    """Say who would collect a payment like this now. Needs channels:read.

    Raises:
        NotFound: no such store.
    """
    context.require(Scope.CHANNELS_READ)
    async with context.tenant.reading() as session:
        if wanted.store_id is not None and not await session.scalar(
            select(exists().where(Store.id == wanted.store_id))
        ):
            raise NotFound("store")
    return await choose_account(context, wanted, await offers(context))


async def provider_for_currency(
    context: TenantContext, currency: Currency, method: Method | None
) -> Candidate | None:
    """The account that is tried first for a currency, whatever the amount. Needs channels:read."""
    context.require(Scope.CHANNELS_READ)
    wanted = Wanted(Money(1, currency), method, None, needs=frozenset({Feature.COLLECT}))
    any_amount = {code: _without_limits(offer) for code, offer in (await offers(context)).items()}
    return (await choose_account(context, wanted, any_amount)).chosen


async def choose_account(context: TenantContext, wanted: Wanted, known: Mapping[str, Offer]) -> Choice:
    """Choose among the tenant's accounts. The caller has checked the scope, and reads the catalog once."""
    async with context.tenant.reading() as session:
        found = await candidates(session)
    ids = [candidate.account_id for candidate in found]
    open_circuits = await context.services.circuits.open_ones(context.tenant.id, ids)
    return decide(wanted, found, known, open_circuits)


def _without_limits(offer: Offer) -> Offer:
    return replace(
        offer,
        currencies={
            currency: replace(ANY_AMOUNT, is_recommended=limits.is_recommended)
            for currency, limits in offer.currencies.items()
        },
    )
