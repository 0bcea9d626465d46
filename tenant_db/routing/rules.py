"""Who may collect a payment, and in which order they are tried. Pure.

One group after another: the tenant's default first, then by priority, then as the catalog
recommends. All M-Pesa channels are one group; within it a channel of the payment's own store comes
first, then the primary one.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from core.collecting import Feature, Method
from core.currency import Currency
from core.money import Money
from core.offers import CurrencyLimits, Offer


class RoutingReason(StrEnum):
    """Why an account was chosen, or was not. Stable: programs may branch on it."""

    CHOSEN = "chosen"
    RANKED_LOWER = "ranked_lower"
    ALREADY_TRIED = "already_tried"
    ACCOUNT_DISABLED = "account_disabled"
    CHANNEL_NOT_ACTIVE = "channel_not_active"
    CHANNEL_MISSING = "channel_missing"
    PROVIDER_INACTIVE = "provider_inactive"
    SANDBOX_BESIDE_PRODUCTION = "sandbox_beside_production"
    CURRENCY_NOT_SUPPORTED = "currency_not_supported"
    METHOD_NOT_SUPPORTED = "method_not_supported"
    FEATURE_MISSING = "feature_missing"
    AMOUNT_TOO_SMALL = "amount_too_small"
    AMOUNT_TOO_LARGE = "amount_too_large"
    AMOUNT_NOT_WHOLE = "amount_not_whole"
    CIRCUIT_OPEN = "circuit_open"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A payment that looks for an account to collect it."""

    amount: Money
    method: Method | None
    """None: any will do."""
    store_id: UUID | None
    """Whose balance grows: its own channels come first."""
    excluded: frozenset[UUID] = frozenset()
    """Accounts that surely did not take this payment a moment ago."""
    needs: frozenset[Feature] = frozenset({Feature.COLLECT})
    """What the provider must be able to do, such as capture later."""


@dataclass(frozen=True, slots=True)
class OfChannel:
    """The M-Pesa channel that a provider account belongs to."""

    id: UUID
    store_id: UUID
    is_active: bool
    is_primary: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """One provider account of the tenant."""

    account_id: UUID
    provider: str
    name: str
    is_production: bool
    is_enabled: bool
    is_default: bool
    priority: int
    """Lower is tried first."""
    currencies: frozenset[Currency]
    created_at: datetime
    channel: OfChannel | None = None
    has_collected: bool = False
    """Whether a payment was ever paid there."""


@dataclass(frozen=True, slots=True)
class Considered:
    """One account, and what became of it."""

    candidate: Candidate
    reason: RoutingReason
    why: str
    """One sentence for the tenant's staff."""
    place: int | None
    """1 is the chosen one, 2 is tried next; None may not collect this payment."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Who collects a payment, beside everybody who was considered, best first."""

    chosen: Candidate | None
    considered: Sequence[Considered]


def decide(
    wanted: Wanted,
    candidates: Sequence[Candidate],
    offers: Mapping[str, Offer],
    open_circuits: AbstractSet[UUID],
) -> Choice:
    """Choose one account, and say of each why. `offers` is by the provider's code."""
    is_live = any(_is_live(candidate, offers) for candidate in candidates)
    refused = []
    eligible = []
    for candidate in candidates:
        offer = offers.get(candidate.provider)
        reason = _refusal(wanted, candidate, offer)
        if reason is None and is_live and not candidate.is_production:
            reason = RoutingReason.SANDBOX_BESIDE_PRODUCTION
        if reason is None and candidate.account_id in open_circuits:
            reason = RoutingReason.CIRCUIT_OPEN
        if reason is None:
            eligible.append(candidate)
        else:
            why = _sentence(reason, wanted, candidate, offer)
            refused.append(Considered(candidate, reason, why, None))
    ranked = [
        _placed(place, candidate, wanted, offers)
        for place, candidate in enumerate(_ranked(eligible, wanted, offers), start=1)
    ]
    refused.sort(key=lambda one: (one.reason, one.candidate.created_at, one.candidate.account_id))
    return Choice(ranked[0].candidate if ranked else None, [*ranked, *refused])


def _is_live(candidate: Candidate, offers: Mapping[str, Offer]) -> bool:
    """Whether real money is collected there, or was: then no payment may end up in a sandbox.

    A business that has taken real money goes on doing so when its account or the provider is switched
    off: nothing of it may be paid with a test card meanwhile.
    """
    offer = offers.get(candidate.provider)
    is_open = (
        candidate.is_enabled
        and offer is not None
        and offer.takes_payments
        and (candidate.channel is None or candidate.channel.is_active)
    )
    return candidate.is_production and (candidate.has_collected or is_open)


def _refusal(wanted: Wanted, candidate: Candidate, offer: Offer | None) -> RoutingReason | None:
    if offer is None or not offer.takes_payments:
        return RoutingReason.PROVIDER_INACTIVE
    return _refusal_of_account(wanted, candidate, offer) or _refusal_of_offer(wanted, candidate, offer)


def _refusal_of_account(wanted: Wanted, candidate: Candidate, offer: Offer) -> RoutingReason | None:
    if not candidate.is_enabled:
        return RoutingReason.ACCOUNT_DISABLED
    if offer.needs_channel and candidate.channel is None:
        return RoutingReason.CHANNEL_MISSING
    if candidate.channel is not None and not candidate.channel.is_active:
        return RoutingReason.CHANNEL_NOT_ACTIVE
    if candidate.account_id in wanted.excluded:
        return RoutingReason.ALREADY_TRIED
    return None


def _refusal_of_offer(wanted: Wanted, candidate: Candidate, offer: Offer) -> RoutingReason | None:
    limits = offer.currencies.get(wanted.amount.currency)
    if limits is None or wanted.amount.currency not in candidate.currencies:
        return RoutingReason.CURRENCY_NOT_SUPPORTED
    if wanted.method is not None and wanted.method not in offer.methods:
        return RoutingReason.METHOD_NOT_SUPPORTED
    if not wanted.needs <= offer.features:
        return RoutingReason.FEATURE_MISSING
    return _refusal_of_amount(wanted, limits)


def _refusal_of_amount(wanted: Wanted, limits: CurrencyLimits) -> RoutingReason | None:
    if wanted.amount.minor < limits.min_minor:
        return RoutingReason.AMOUNT_TOO_SMALL
    if limits.max_minor is not None and wanted.amount.minor > limits.max_minor:
        return RoutingReason.AMOUNT_TOO_LARGE
    if wanted.amount.minor % limits.step_minor:
        return RoutingReason.AMOUNT_NOT_WHOLE
    return None


_CHANNELS: Final = UUID(int=0)


def _ranked(
    eligible: Sequence[Candidate], wanted: Wanted, offers: Mapping[str, Offer]
) -> Sequence[Candidate]:
    groups: dict[tuple[str, UUID], list[Candidate]] = {}
    for candidate in eligible:
        group = (candidate.provider, candidate.account_id if candidate.channel is None else _CHANNELS)
        groups.setdefault(group, []).append(candidate)
    for members in groups.values():
        members.sort(key=lambda member: _place_in_group(member, wanted))
    ordered = sorted(groups.values(), key=lambda members: _place_of_group(members, wanted, offers))
    return [member for members in ordered for member in members]


def _place_of_group(
    members: Sequence[Candidate], wanted: Wanted, offers: Mapping[str, Offer]
) -> tuple[bool, int, bool, int, datetime, UUID]:
    first = members[0]
    offer = offers[first.provider]
    return (
        not any(member.is_default for member in members),
        min(member.priority for member in members),
        not offer.currencies[wanted.amount.currency].is_recommended,
        offer.recommendation,
        first.created_at,
        first.account_id,
    )


def _place_in_group(member: Candidate, wanted: Wanted) -> tuple[bool, bool, bool, int, datetime, UUID]:
    channel = member.channel
    return (
        channel is None or channel.store_id != wanted.store_id,
        channel is None or not channel.is_primary,
        not member.is_default,
        member.priority,
        member.created_at,
        member.account_id,
    )


def _placed(place: int, candidate: Candidate, wanted: Wanted, offers: Mapping[str, Offer]) -> Considered:
    why = _merit(candidate, wanted, offers[candidate.provider])
    if place == 1:
        return Considered(candidate, RoutingReason.CHOSEN, f"It is tried first: {why}.", place)
    sentence = f"It could collect, and is number {place} in line: {why}."
    return Considered(candidate, RoutingReason.RANKED_LOWER, sentence, place)


def _merit(candidate: Candidate, wanted: Wanted, offer: Offer) -> str:
    merits = []
    if candidate.is_default:
        merits.append("it is your default")
    if candidate.channel is not None and candidate.channel.store_id == wanted.store_id:
        merits.append("it is a channel of the payment's store")
    if candidate.channel is not None and candidate.channel.is_primary:
        merits.append("it is the primary channel")
    merits.append(f"its priority is {candidate.priority}")
    if offer.currencies[wanted.amount.currency].is_recommended:
        merits.append(f"{offer.name} is recommended for {wanted.amount.currency}")
    return ", ".join(merits)


def _sentence(reason: RoutingReason, wanted: Wanted, candidate: Candidate, offer: Offer | None) -> str:
    name = candidate.provider if offer is None else offer.name
    currency = wanted.amount.currency
    limits = None if offer is None else offer.currencies.get(currency)
    least, most = _ends(limits or CurrencyLimits(1, None), currency)
    return {
        RoutingReason.ALREADY_TRIED: "It was tried for this payment and could not be reached.",
        RoutingReason.ACCOUNT_DISABLED: "It is switched off: call enableProviderAccount.",
        RoutingReason.CHANNEL_NOT_ACTIVE: "Its channel is not active: call activateChannel.",
        RoutingReason.CHANNEL_MISSING: f"{name} collects on a channel, and this account has none.",
        RoutingReason.PROVIDER_INACTIVE: f"{name} takes no new payments at the moment.",
        RoutingReason.SANDBOX_BESIDE_PRODUCTION: "It is a sandbox account, and you have production ones.",
        RoutingReason.CURRENCY_NOT_SUPPORTED: f"It does not take {currency}.",
        RoutingReason.METHOD_NOT_SUPPORTED: f"{name} does not take {wanted.method}.",
        RoutingReason.FEATURE_MISSING: f"{name} can't do all this payment needs: {_listed(wanted.needs)}.",
        RoutingReason.AMOUNT_TOO_SMALL: f"{name} takes {least} or more.",
        RoutingReason.AMOUNT_TOO_LARGE: f"{name} takes {most} or less.",
        RoutingReason.AMOUNT_NOT_WHOLE: f"{name} takes whole units of {currency} only.",
        RoutingReason.CIRCUIT_OPEN: "It did not answer several times in a row and is left alone for a while.",
    }[reason]


def _ends(limits: CurrencyLimits, currency: Currency) -> tuple[Money, Money]:
    return Money(limits.min_minor, currency), Money(limits.max_minor or 0, currency)


def _listed(needs: AbstractSet[Feature]) -> str:
    return ", ".join(sorted(needs))
