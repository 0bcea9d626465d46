"""What tenants can be told, how often it is tried, and what their addresses look like. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from core.errors import InvalidInput

ENDPOINTS_MAX: Final = 20
URL_CHARACTERS_MAX: Final = 500
DESCRIPTION_CHARACTERS_MAX: Final = 100
LADDER: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Between one try and the next (Standard Webhooks, "Retries"): ten tries over some three days."""
ORDER_WAIT: Final = timedelta(seconds=60)
"""How long what came later waits for a message that fails, so that it arrives in order."""
OVERLAP: Final = timedelta(hours=24)
"""How long messages are signed with the old secret too, once it is replaced."""


class WebhookEvent(StrEnum):
    """Something a tenant can be told. Each is told once per endpoint; a repeat has the same id."""

    PAYMENT_AUTHORIZED = "payment.authorized"
    PAYMENT_SUCCEEDED = "payment.succeeded"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_EXPIRED = "payment.expired"
    PAYMENT_CANCELLED = "payment.cancelled"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"
    REFUND_REVERSED = "refund.reversed"
    DISPUTE_OPENED = "dispute.opened"
    DISPUTE_WON = "dispute.won"
    DISPUTE_LOST = "dispute.lost"
    ORDER_PAID = "order.paid"
    WEBHOOK_TEST = "webhook.test"
    """Sent when somebody asks for it, to any endpoint."""


CHOOSABLE: Final = tuple(event for event in WebhookEvent if event is not WebhookEvent.WEBHOOK_TEST)


class DeliveryState(StrEnum):
    """Where one message to one endpoint stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up; it can be sent again by hand."""


class DisabledReason(StrEnum):
    """Why an endpoint gets no messages."""

    BY_HAND = "by_hand"
    FAILING = "failing"
    """Every try of some three days failed."""
    GONE = "gone"
    """It answered 410."""


def require_url(url: str, *, may_be_plain: bool) -> str:
    """The address, checked for its form; where it leads is checked at each call.

    Raises:
        InvalidInput: no https URL, or one with a user, a password or a fragment.
    """
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_fine = None, False
    schemes = ("https", "http") if may_be_plain else ("https",)
    is_fine = (
        parts is not None
        and port_is_fine
        and parts.scheme in schemes
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and not parts.fragment
        and url.isascii()
        and url.isprintable()
        and " " not in url
        and len(url) <= URL_CHARACTERS_MAX
    )
    if not is_fine:
        raise InvalidInput(
            "url",
            f"Give an https address of at most {URL_CHARACTERS_MAX} characters, such as"
            " https://shop.example.com/hooks, without a user, a password or a #.",
        )
    return url


def require_events(events: list[str]) -> list[str]:
    """At least one event, each once.

    Raises:
        InvalidInput: none, or one that nobody can choose.
    """
    chosen = list(dict.fromkeys(events))
    if not chosen or any(event not in CHOOSABLE for event in chosen):
        raise InvalidInput("events", "Choose at least one event to be told of.")
    return chosen


def require_description(text: str) -> str:
    """Raises InvalidInput where it is too long, or holds control characters."""
    if len(text) > DESCRIPTION_CHARACTERS_MAX or not text.isprintable():
        raise InvalidInput(
            "description", f"A description has at most {DESCRIPTION_CHARACTERS_MAX} characters on one line."
        )
    return text


def next_try_at(tries: int, now: datetime) -> datetime | None:
    """When to try again after `tries` have failed; None when there is nothing left to try."""
    if tries > len(LADDER):
        return None
    return now + LADDER[tries - 1]
