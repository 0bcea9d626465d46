"""Hands a payment that surely was not taken to the next provider account."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from core.collecting import CaptureMode, Feature, Method
from core.offers import Offer
from tenancy.circuits import Circuits
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import Environment
from tenant_db.payments.initiating import place_of_account
from tenant_db.payments.initiating_statements import Place
from tenant_db.payments.locking import lock_payment
from tenant_db.payments.machine import CREATED
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause
from tenant_db.payments.stepping import remark
from tenant_db.routing.choosing import Candidate, Choice, Wanted, candidates, decide

ATTEMPTS_MAX: Final = 5
"""Accounts that one payment is handed to: a payer waits."""


def wanted_of(payment: Payment) -> Wanted:
    """What an account must offer to collect a payment, beside those that did not take it."""
    tried = frozenset([*payment.tried_account_ids, payment.provider_account_id])
    method, capture = Method(payment.method), CaptureMode(payment.capture_mode)
    return Wanted(payment.amount, method, payment.store_id, tried, needs(capture))


def needs(capture: CaptureMode) -> frozenset[Feature]:
    """What a provider must be able to do, for money that is captured like this."""
    collect = frozenset({Feature.COLLECT})
    return collect | {Feature.CAPTURE} if capture is CaptureMode.MANUAL else collect


async def route(
    session: TenantSession, wanted: Wanted, offers: Mapping[str, Offer], circuits: Circuits
) -> Choice:
    """Choose by what the tenant set, what the catalog offers, and who answers at present."""
    found = await candidates(session)
    open_ones = await circuits.open_ones(session.tenant_id, [one.account_id for one in found])
    return decide(wanted, found, offers, open_ones)


async def next_account(
    session: TenantSession, payment_id: UUID, offers: Mapping[str, Offer], circuits: Circuits
) -> Candidate | None:
    """Who would collect a payment that its account surely did not take; None where nobody else would.

    It never leaves its environment: real money is not collected in a sandbox, nor the reverse.
    """
    payment = await session.get_one(Payment, payment_id)
    if not payment.routed_by_us or payment.attempt >= ATTEMPTS_MAX:
        return None
    chosen = (await route(session, wanted_of(payment), offers, circuits)).chosen
    if chosen is None or chosen.is_production != (payment.environment == Environment.PRODUCTION):
        return None
    return chosen


async def reroute(
    session: TenantSession,
    payment_id: UUID,
    from_account_id: UUID,
    to: Candidate,
    *,
    why: str,
    now: datetime,
) -> bool:
    """Move a payment in `created` to another account, as a new attempt under a new key.

    False, and nothing changes, where it has left `created` or that account meanwhile, or its time is over.
    """
    payment = await lock_payment(session, payment_id)
    is_ours = payment.provider_account_id == from_account_id
    if payment.state is not CREATED or not is_ours or now >= payment.expires_at:
        return False
    place = await place_of_account(session, to.account_id, payment.store_id, payment.amount)
    payment.tried_account_ids = [*payment.tried_account_ids, payment.provider_account_id]
    payment.attempt += 1
    _move(payment, place)
    remark(session, payment, Cause.JOB, why=why, provider=place.provider, attempt=payment.attempt)
    return True


def _move(payment: Payment, place: Place) -> None:
    payment.provider_account_id = place.provider_account_id
    payment.provider = place.provider
    payment.environment = place.environment
    payment.channel_id = place.channel_id
    payment.short_code = place.short_code
