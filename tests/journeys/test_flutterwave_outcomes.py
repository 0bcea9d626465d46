"""Every outcome of Flutterwave's sheet, made by its sandbox: where the payment ends, and in which books."""

from dataclasses import replace
from typing import Final

import pytest

from core.collecting import Method
from integrations.sandbox.flutterwave.outcomes import OUTCOMES as OWN
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
    left_open,
    require_courses,
)

NEVER_SENT: Final = ended("not_sent")
"""A page whose address got lost is opened by nobody, and Flutterwave knows no payment of its reference."""
PAID_TOO_MUCH: Final = Course(*[replace(PAID.later, review="double_payment", aside=10_000)] * 2)
"""The business is credited what it asked for; the rest waits in suspense to be given back."""
OUTCOMES: Final[dict[str, Course]] = {
    "success": PAID,
    "busy": PAID,
    "html": NEVER_SENT,
    "html_before_acceptance": NEVER_SENT,
    "webhook_before_response": PAID,
    "server_error_before_acceptance": NEVER_SENT,
    "server_error_after_acceptance": NEVER_SENT,
    "duplicate_webhook": PAID,
    "unavailable_before_acceptance": NEVER_SENT,
    "unavailable_after_acceptance": NEVER_SENT,
    "late_webhook": PAID,
    "timeout_before_acceptance": NEVER_SENT,
    "timeout_after_acceptance": NEVER_SENT,
    "withheld_webhook": PAID,
    "reset_before_acceptance": NEVER_SENT,
    "reset_after_acceptance": NEVER_SENT,
    "missing_webhook": PAID,
    "gave_up_before_acceptance": NEVER_SENT,
    "gave_up_after_acceptance": NEVER_SENT,
    "bad_signature": PAID,
    "general_error_before_acceptance": NEVER_SENT,
    "general_error_after_acceptance": NEVER_SENT,
    "query_pending": PAID,
    "reference_taken": NEVER_SENT,
    "not_found_yet": PAID,
    "redirect": PAID,
    "redirect_without_reference": PAID,
    # A webhook only has us ask, so what it says is never believed.
    "tampered_amount": PAID,
    "wrong_currency": PAID,
    "contradicting_webhook": PAID,
    # A failed attempt ends nothing while the page is open.
    "declined": left_open("declined", "failed", "declined"),
    "insufficient_funds": left_open("insufficient_funds", "failed", "insufficient_funds"),
    "cancelled": left_open("cancelled_by_payer", "cancelled", "cancelled_by_payer"),
    "wrong_pin": left_open("wrong_pin", "failed", "wrong_pin"),
    "timed_out": left_open("no_answer", "expired", "no_answer"),
    "limit_exceeded": left_open("limit_exceeded", "failed", "limit_exceeded"),
    "never": left_open(),
    "failed_then_paid": PAID,
    # Refused before anything was taken.
    "validation": ended("declined"),
    "blacklisted": ended("payer_not_allowed"),
    "wrong_key": ended("configuration"),
    "ip_not_allowed": ended("configuration"),
    # Paid, and not as it was asked for.
    "overpaid": PAID_TOO_MUCH,
    "underpaid": FITS_NOT,
    "paid_in_other_currency": FITS_NOT,
    "paid_for_other_tenant": FITS_NOT,
    "paid_for_other_payment": FITS_NOT,
}
CHARGES: Final[dict[str, Course]] = {
    "success": PAID,
    "webhook_before_response": PAID,
    "bad_signature": PAID,
    "busy": PAID,
    "timeout_before_acceptance": NEVER_SENT,
    "timeout_after_acceptance": PAID,
    "html_before_acceptance": NEVER_SENT,
    "html": PAID,
    "gave_up_after_acceptance": PAID,
    "general_error_before_acceptance": NEVER_SENT,
    "general_error_after_acceptance": PAID,
    "reference_taken": NEVER_SENT,
    "not_found_yet": PAID,
    "redirect": PAID,
    "redirect_without_reference": PAID,
    "declined": ended("declined"),
    "insufficient_funds": ended("insufficient_funds"),
    "cancelled": ended("cancelled_by_payer", "cancelled"),
    "timed_out": ended("no_answer"),
    "never": UNDECIDED,
    "overpaid": PAID_TOO_MUCH,
    "underpaid": FITS_NOT,
    "blacklisted": ended("payer_not_allowed"),
}
"""Of a phone that is charged at once: what failed has failed for good."""


def test_every_outcome_that_the_sandbox_makes_is_a_row() -> None:
    made = {**COMMON, **OWN}
    assert {name for name in made if made[name].get("operation", "create") == "create"} == OUTCOMES.keys()


@pytest.mark.timeout(300)
async def test_every_outcome_at_flutterwave_ends_in_its_state_with_its_books(
    journey: Journey, tenant: Tenant
) -> None:
    await require_courses(journey, tenant, await open_stand(journey, tenant, "flutterwave"), OUTCOMES)


@pytest.mark.timeout(300)
async def test_every_outcome_of_a_phone_at_flutterwave_ends_in_its_state_with_its_books(
    journey: Journey, tenant: Tenant
) -> None:
    stand = await open_stand(journey, tenant, "flutterwave")
    await require_courses(journey, tenant, stand, CHARGES, method=Method.MOBILE_MONEY)
