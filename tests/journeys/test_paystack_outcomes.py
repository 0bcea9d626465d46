"""Every outcome of Paystack's sheet, made by its sandbox: where the payment ends, and in which books."""

from typing import Final

import pytest

from core.collecting import Method
from integrations.sandbox.paystack.outcomes import OWN_OUTCOMES
from integrations.sandbox.plans import COMMON
from tenancy.sessions import Tenant
from tests.factories.collecting import open_stand
from tests.factories.journeys import Journey
from tests.factories.outcomes import (
    FITS_NOT,
    PAID,
    UNDECIDED,
    Course,
    ended,
    require_courses,
)

NEVER_SENT: Final = ended("not_sent")
"""Paystack knows no such reference a minute later: it never got it."""
OUTCOMES: Final[dict[str, Course]] = {
    "success": PAID,
    "busy": PAID,
    "html": PAID,
    "html_before_acceptance": NEVER_SENT,
    "webhook_before_response": PAID,
    "server_error_before_acceptance": NEVER_SENT,
    "server_error_after_acceptance": PAID,
    "duplicate_webhook": PAID,
    "unavailable_before_acceptance": NEVER_SENT,
    "unavailable_after_acceptance": PAID,
    "late_webhook": PAID,
    "timeout_before_acceptance": NEVER_SENT,
    "timeout_after_acceptance": PAID,
    "withheld_webhook": PAID,
    "reset_before_acceptance": NEVER_SENT,
    "reset_after_acceptance": PAID,
    "missing_webhook": PAID,
    "malformed": PAID,
    "bad_signature": PAID,
    "query_pending": PAID,
    "unknown_at_first": PAID,
    # A webhook only has us ask, so what it says is never believed.
    "tampered_amount": PAID,
    "wrong_currency": PAID,
    "contradicting_webhook": PAID,
    # What the payer and the bank do.
    "insufficient_funds": ended("insufficient_funds"),
    "wrong_pin": ended("wrong_pin"),
    "cancelled": ended("cancelled_by_payer", "cancelled"),
    "timed_out": ended("no_answer"),
    "limit_exceeded": ended("limit_exceeded"),
    "expired_card": ended("card_expired"),
    "invalid_card": ended("incorrect_details"),
    "not_authenticated": ended("authentication_required"),
    "restricted": ended("payer_not_allowed"),
    "payer_busy": ended("payer_busy"),
    "bank_inoperative": ended("provider_busy"),
    "declined": ended("declined"),
    "charge_failed_webhook": ended("declined"),
    "failed_at_once": ended("insufficient_funds"),
    "paid_at_once": PAID,
    # Open for long, and paid in the end.
    "abandoned": PAID,
    "ongoing": PAID,
    "pending": PAID,
    "processing": PAID,
    "queued": PAID,
    "open_url": PAID,
    # Refused before anything was taken.
    "invalid_key": ended("configuration"),
    "forbidden": ended("configuration"),
    "currency_refused": ended("configuration"),
    "no_channel": ended("configuration"),
    "invalid_email": ended("incorrect_details"),
    "unprocessable": ended("payer_not_allowed"),
    # Refused as one that Paystack has, and then not known: nobody can say.
    "duplicate_reference": UNDECIDED,
    # Paid, and not as it was asked for.
    "underpaid": FITS_NOT,
    "other_amount": FITS_NOT,
    "other_currency": FITS_NOT,
    "other_mode": FITS_NOT,
    "other_reference": FITS_NOT,
    "other_tenant": FITS_NOT,
    "other_payment": FITS_NOT,
    "reversed": FITS_NOT,
    "fees_passed_on": PAID,
    # The same, in every shape that it may have.
    "no_requested_amount": PAID,
    "metadata_text": PAID,
    "metadata_blank": PAID,
    "metadata_zero": PAID,
    "metadata_null": PAID,
    "id_as_text": PAID,
}
CHARGES: Final[dict[str, Course]] = {
    "success": PAID,
    "charge_pending": PAID,
    "charge_timeout": PAID,
    "paid_at_once": PAID,
    "failed_at_once": ended("insufficient_funds"),
    "insufficient_funds": ended("insufficient_funds"),
    "webhook_before_response": PAID,
    "timeout_before_acceptance": NEVER_SENT,
    "timeout_after_acceptance": PAID,
    "malformed": PAID,
    "busy": PAID,
    "unprocessable": ended("payer_not_allowed"),
    "underpaid": FITS_NOT,
    "open_url": PAID,
    "bad_signature": PAID,
    "otp": UNDECIDED,
    "pin": UNDECIDED,
    "pin_then_otp": UNDECIDED,
    "phone": UNDECIDED,
    "birthday": UNDECIDED,
    "address": UNDECIDED,
}
"""Of a phone that is charged at once: a step that nobody takes leaves it open."""


def test_every_outcome_that_the_sandbox_makes_is_a_row() -> None:
    made = {**COMMON, **OWN_OUTCOMES}
    assert {name for name in made if "operation" not in made[name]} == OUTCOMES.keys() | CHARGES.keys()


@pytest.mark.timeout(300)
async def test_every_outcome_at_paystack_ends_in_its_state_with_its_books(
    journey: Journey, tenant: Tenant
) -> None:
    stand = await open_stand(journey, tenant, "paystack")
    await require_courses(journey, tenant, stand, OUTCOMES)


@pytest.mark.timeout(300)
async def test_every_step_that_paystack_asks_of_a_phone_waits_for_its_payer(
    journey: Journey, tenant: Tenant
) -> None:
    stand = await open_stand(journey, tenant, "paystack")
    await require_courses(journey, tenant, stand, CHARGES, method=Method.MOBILE_MONEY)
