"""What a provider takes of each currency: limits, published fee, recommendation."""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.currency import Currency
from core.errors import InvalidInput, NotFound
from core.ids import new_id
from core.offers import CurrencyLimits
from owner_db.catalog.changing import lock_provider
from owner_db.catalog.models import ProviderCurrencySupport
from owner_db.catalog.providers import Provider, known_provider
from tenancy.sessions import OwnerSession

FEE_BPS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class NewCurrency:
    """A currency as staff enter it.

    Raises:
        InvalidInput: limits in the wrong order, or a fee that can't be.
    """

    currency: Currency
    limits: CurrencyLimits

    def __post_init__(self) -> None:
        limits = self.limits
        if limits.min_minor < 1:
            raise InvalidInput("minMinor", "The least of a payment is 1 minor unit or more.")
        if limits.max_minor is not None and limits.max_minor < limits.min_minor:
            raise InvalidInput("maxMinor", "The most of a payment is not less than the least.")
        if limits.step_minor < 1:
            raise InvalidInput("stepMinor", "Amounts are multiples of 1 minor unit or more.")
        if not 0 <= limits.fee_bps <= FEE_BPS_MAX:
            raise InvalidInput("feeBps", f"A fee is 0 to {FEE_BPS_MAX} basis points.")
        if limits.fee_fixed_minor < 0:
            raise InvalidInput("feeFixedMinor", "A fee is not negative.")


async def set_currency(session: OwnerSession, code: str, new: NewCurrency) -> Provider:
    """Write what a provider takes of one currency, in place of what stood there.

    Raises:
        ProviderUnknown: the catalog has none of this code.
    """
    provider = await lock_provider(session, code)
    limits = new.limits
    values = {
        "min_minor": limits.min_minor,
        "max_minor": limits.max_minor,
        "step_minor": limits.step_minor,
        "fee_bps": limits.fee_bps,
        "fee_fixed_minor": limits.fee_fixed_minor,
        "is_recommended": limits.is_recommended,
        "removed_at": None,
    }
    await session.execute(
        insert(ProviderCurrencySupport)
        .values(
            id=new_id(),
            created_at=utc_now(),
            provider_id=provider.id,
            currency=new.currency,
            **values,
        )
        .on_conflict_do_update(index_elements=["provider_id", "currency"], set_=values)
    )
    return await known_provider(session, code)


async def remove_currency(session: OwnerSession, code: str, currency: Currency) -> Provider:
    """Take a currency off a provider: no new payments in it.

    Raises:
        ProviderUnknown: the catalog has none of this code.
        NotFound: it does not take the currency.
    """
    provider = await lock_provider(session, code)
    offered = select(ProviderCurrencySupport.id).where(
        ProviderCurrencySupport.provider_id == provider.id,
        ProviderCurrencySupport.currency == currency,
        ProviderCurrencySupport.removed_at.is_(None),
    )
    id_ = await session.scalar(offered)
    if id_ is None:
        raise NotFound("currency")
    await session.execute(
        update(ProviderCurrencySupport)
        .where(ProviderCurrencySupport.id == id_)
        .values(removed_at=utc_now())
        .execution_options(synchronize_session=False)
    )
    return await known_provider(session, code)
