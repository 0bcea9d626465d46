"""A payer is told in plain words what to do, and why something came to nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from core.collecting import Method
from tenant_db.orders.wording import estimated_completion, failure, next_step, way
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import FailureReason

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def payment(status: str, **changes: object) -> Payment:
    values = {
        "status": status,
        "provider": "mpesa",
        "method": "mobile_money",
        "phone": "+254700000001",
        "created_at": NOW,
        **changes,
    }
    return Payment(**values)


@pytest.mark.parametrize("reason", list(FailureReason))
def test_every_reason_has_words(reason: FailureReason) -> None:
    words = failure(payment("failed", failure_code=reason.value))

    assert words.endswith(".")
    assert "_" not in words


def test_a_reason_we_do_not_know_is_no_riddle() -> None:
    unknown = payment("failed", failure_code="E_4711")

    assert failure(unknown) == next_step(unknown) == "The payment did not go through. You can try again."


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (payment("created"), "We are sending a prompt to +2547*****001."),
        (payment("pending"), "Look at +2547*****001: approve the prompt with your PIN."),
        (payment("unknown"), "We are asking M-Pesa whether the money has arrived. Please don't pay again."),
        (payment("authorized"), "Your bank has promised the money. Nothing more is to be done."),
        (payment("succeeded"), "Thank you. The payment has arrived."),
        (
            payment("pending", provider="stripe", method="card", phone=None),
            "We are getting ready to pay with Stripe.",
        ),
        (
            payment(
                "pending", next_action={"kind": "redirect", "instructions": "Open it.", "url": "https://a"}
            ),
            "Open it.",
        ),
    ],
)
def test_each_status_says_what_is_next(one: Payment, words: str) -> None:
    assert next_step(one) == words


def test_only_what_is_open_has_an_end_that_can_be_guessed() -> None:
    assert estimated_completion(payment("pending"), NOW) == NOW + timedelta(minutes=1)
    assert estimated_completion(payment("pending"), NOW + timedelta(hours=1)) is None
    assert estimated_completion(payment("failed"), NOW) is None


@pytest.mark.parametrize(
    ("method", "provider", "label", "needs"),
    [
        (Method.MOBILE_MONEY, "mpesa", "M-Pesa", (True, False)),
        (Method.MOBILE_MONEY, "flutterwave", "Mobile money with Flutterwave", (True, False)),
        (Method.CARD, "stripe", "Card with Stripe", (False, True)),
        (Method.BANK_TRANSFER, "mine", "Bank transfer with Mine Ltd", (False, True)),
    ],
)
def test_a_way_to_pay_is_called_by_who_collects(
    method: Method, provider: str, label: str, needs: tuple[bool, bool]
) -> None:
    shown = way(method, provider, "Mine Ltd")

    assert shown.label == label
    assert (shown.needs_phone, shown.needs_email) == needs
