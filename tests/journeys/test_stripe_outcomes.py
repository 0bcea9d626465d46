"""Every outcome of Stripe's sheet, made by its sandbox: where the payment ends, and in which books."""

from typing import Final

import pytest

from integrations.sandbox.plans import COMMON
from integrations.sandbox.stripe.outcomes import OWN
from tenancy.sessions import Tenant
from tests.factories.collecting import open_stand
from tests.factories.journeys import Journey
from tests.factories.outcomes import (
    CONTRADICTS,
    FITS_NOT,
    PAID,
    PAID_AND_CONTRADICTED,
    UNDECIDED,
    Course,
    ended,
    left_open,
    require_courses,
)


def given_up(first: str | None = None) -> Course:
    """Taken back at Stripe when the payer's hour was over: the last decline stays the reason."""
    return left_open(first, "expired", first or "cancelled_by_merchant")


OUTCOMES: Final[dict[str, Course]] = {
    # Sent again under the same idempotency key, or asked for: never charged twice.
    "success": PAID,
    "busy": PAID,
    "html": PAID,
    "html_before_acceptance": PAID,
    "server_error_before_acceptance": PAID,
    "server_error_after_acceptance": PAID,
    "unavailable_before_acceptance": PAID,
    "unavailable_after_acceptance": PAID,
    "rate_limited": PAID,
    "timeout_before_acceptance": PAID,
    "timeout_after_acceptance": PAID,
    "reset_before_acceptance": PAID,
    "reset_after_acceptance": PAID,
    "locked": PAID,
    "key_in_use": PAID,
    # However it is told.
    "webhook_before_response": PAID,
    "duplicate_webhook": PAID,
    "late_webhook": PAID,
    "withheld_webhook": PAID,
    "missing_webhook": PAID,
    "bad_signature": PAID,
    "query_pending": PAID,
    "tampered_amount": PAID_AND_CONTRADICTED,
    "wrong_currency": PAID_AND_CONTRADICTED,
    "contradicting_webhook": PAID_AND_CONTRADICTED,
    # A decline ends nothing: the payer may use another card, until the hour is over.
    "card_declined": given_up("declined"),
    "do_not_honor": given_up("declined"),
    "fraudulent": given_up("declined"),
    "lost_card": given_up("declined"),
    "stolen_card": given_up("declined"),
    "pickup_card": given_up("declined"),
    "insufficient_funds": given_up("insufficient_funds"),
    "card_velocity_exceeded": given_up("limit_exceeded"),
    "card_not_supported": given_up("payer_not_allowed"),
    "currency_not_supported": given_up("payer_not_allowed"),
    "issuer_not_available": given_up("provider_busy"),
    "processing_error": given_up("provider_busy"),
    "expired_card": given_up("card_expired"),
    "incorrect_cvc": given_up("incorrect_details"),
    "incorrect_number": given_up("incorrect_details"),
    "authentication_required": given_up("authentication_required"),
    "authentication_failed": given_up("authentication_required"),
    "declined_then_paid": PAID,
    "requires_action": given_up(),
    "shows_voucher": given_up(),
    "ignored": given_up(),
    "processing": UNDECIDED,
    "processing_then_paid": PAID,
    "expired": ended("no_answer"),
    "cancelled_automatically": ended("no_answer"),
    "cancelled_by_customer": ended("cancelled_by_payer", "cancelled"),
    "cancelled_as_duplicate": ended("cancelled_by_merchant", "cancelled"),
    "cancelled_as_fraudulent": ended("cancelled_by_merchant", "cancelled"),
    "cancelled_as_abandoned": ended("cancelled_by_merchant", "cancelled"),
    "invoice_failed": ended("declined"),
    "invoice_void": ended("cancelled_by_merchant", "cancelled"),
    # Refused before anything was taken.
    "invalid_request": ended("configuration"),
    "amount_too_small": ended("limit_exceeded"),
    "other_parameters": ended("configuration"),
    "wrong_key": ended("configuration"),
    "forbidden": ended("configuration"),
    "not_found": ended("configuration"),
    # Paid, and not as it was asked for.
    "paid_less": FITS_NOT,
    "paid_more": FITS_NOT,
    "paid_in_other_currency": CONTRADICTS,
    "paid_for_other_tenant": FITS_NOT,
    "paid_for_other_payment": FITS_NOT,
    "paid_in_other_mode": FITS_NOT,
}


def test_every_outcome_that_the_sandbox_makes_is_a_row() -> None:
    made = {**COMMON, **OWN}
    assert {name for name in made if "operation" not in made[name]} == OUTCOMES.keys()


@pytest.mark.timeout(300)
async def test_every_outcome_at_stripe_ends_in_its_state_with_its_books(
    journey: Journey, tenant: Tenant
) -> None:
    await require_courses(journey, tenant, await open_stand(journey, tenant, "stripe"), OUTCOMES)
