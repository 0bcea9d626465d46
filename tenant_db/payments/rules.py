"""The limits of collecting, the words for what happened, and how a payer's masked number is compared."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from core.collecting import CaptureMode, Feature, Method, NextAction
from core.currency import Currency
from core.errors import InvalidInput
from core.money import Money
from core.offers import Offer
from core.phone import Phone
from tenant_db.payments.errors import (
    AmountNotWhole,
    AmountOutOfRange,
    MethodNotOffered,
    PhoneNotServed,
    TextNotUsable,
)
from tenant_db.payments.machine import PaymentStatus

PROMPTS_PER_PHONE_MAX: Final = 3
"""Prompts one phone may get from one tenant within PROMPT_LIMIT_WINDOW_S."""
PROMPTS_PER_PHONE_PLATFORM_MAX: Final = 5
"""The same over all tenants together."""
PROMPT_LIMIT_WINDOW_S: Final = 600

SEND_WINDOW: Final = timedelta(minutes=5)
"""How long a payment that could not be sent is still tried: nobody waits longer at a counter."""
PROMPT_WINDOW: Final = timedelta(minutes=3)
"""How long a prompt that was sent may be answered before the provider's "not paid" is an expiry."""
PAYER_WINDOWS: Final = {
    Method.MOBILE_MONEY: timedelta(minutes=3),
    Method.CARD: timedelta(hours=1),
    Method.BANK_TRANSFER: timedelta(days=1),
}
"""How long a payer who was asked may take, by the method; then we give the payment up."""
UNKNOWN_GUARD: Final = timedelta(minutes=3)
"""How long an attempt of unknown outcome keeps its order from being tried again."""
REVIEW_AFTER: Final = timedelta(hours=24)
"""An attempt still open by then is shown to a person."""
TILL_MATCH_BEFORE: Final = timedelta(minutes=1)
TILL_MATCH_AFTER: Final = timedelta(minutes=15)
"""A till's confirmation names no reference: it may fit prompts sent within this time of the payment."""

REFERENCE_CHARACTERS: Final = 12
"""Daraja's AccountReference takes no more."""
DESCRIPTION_CHARACTERS_MAX: Final = 100
ORDER_REFERENCE_CHARACTERS_MAX: Final = 64
CUSTOMER_NAME_CHARACTERS_MAX: Final = 100
CUSTOMER_EMAIL_CHARACTERS_MAX: Final = 254
RETURN_URL_CHARACTERS_MAX: Final = 2_000

POLL_LADDER_S: Final = (10, 20, 40, 90, 300, 900, 3_600, 21_600, 86_400, 172_800, 259_200, 345_600, 432_000)
"""M-Pesa's, in seconds since the prompt: where the catalog's settings name no ladder."""

MPESA: Final = "mpesa"
_MPESA_PHONE: Final = re.compile(r"254[17]\d{8}")
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Cause(StrEnum):
    """What made a payment take a step."""

    API = "api"
    JOB = "job"
    CALLBACK = "callback"
    CONFIRMATION = "confirmation"
    QUERY = "query"
    REVIEW = "review"
    """A person who has decided a review."""


class ConfirmationState(StrEnum):
    """Where the money of a confirmation went in the books."""

    MATCHED = "matched"
    SUSPENSE = "suspense"
    RESOLVED = "resolved"
    """It had been in suspense until its payment was known."""


class FailureReason(StrEnum):
    """Why a payment did not come about, in words every provider's codes are mapped to."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    WRONG_PIN = "wrong_pin"
    CANCELLED_BY_PAYER = "cancelled_by_payer"
    NO_ANSWER = "no_answer"
    """The phone was off or out of reach, or nobody answered the prompt."""
    LIMIT_EXCEEDED = "limit_exceeded"
    PAYER_NOT_ALLOWED = "payer_not_allowed"
    """The payer's line or account is inactive or not permitted."""
    PAYER_BUSY = "payer_busy"
    """Another prompt or session is open on the phone; try again in two minutes."""
    PROVIDER_BUSY = "provider_busy"
    CONFIGURATION = "configuration"
    """The channel's keys or short code are refused; the tenant must correct them."""
    DECLINED = "declined"
    """Refused for a reason the provider does not tell."""
    CARD_EXPIRED = "card_expired"
    INCORRECT_DETAILS = "incorrect_details"
    """A number, date, security code or address that the payer typed is wrong."""
    AUTHENTICATION_REQUIRED = "authentication_required"
    """The payer did not prove to the bank who they are: 3-D Secure, an OTP."""
    CANCELLED_BY_MERCHANT = "cancelled_by_merchant"
    """The business gave the payment up."""
    NOT_SENT = "not_sent"
    """The payer was never asked: the provider was out of reach, or another attempt paid the order first."""


def ended_as(reason: FailureReason, *, window_over: bool) -> PaymentStatus:
    """What "not paid" makes of an open payment.

    A payer who declined has cancelled it. Nobody having answered the prompt (M-Pesa 1037 and 1019,
    which come after some 20 s) is a failure while our own window is open, and an expiry once it is
    over: `expired` always means both that our window passed and that the provider said "not paid".
    What we gave up at the provider is cancelled while the window is open, and expired after it.
    """
    if reason is FailureReason.CANCELLED_BY_PAYER:
        return PaymentStatus.CANCELLED
    if reason is FailureReason.CANCELLED_BY_MERCHANT:
        return PaymentStatus.EXPIRED if window_over else PaymentStatus.CANCELLED
    if reason is FailureReason.NO_ANSWER and window_over:
        return PaymentStatus.EXPIRED
    return PaymentStatus.FAILED


class SubStatus(StrEnum):
    """The provider's step within a status."""

    STK_INITIATED = "stk_initiated"
    STK_SUCCESS = "stk_success"
    STK_FAILED = "stk_failed"
    REQUIRES_ACTION = "requires_action"
    """The payer has something to do: `next_action`."""
    PAYER_DECLINED = "payer_declined"
    """The payer's last try came to nothing, and another is welcome."""
    AUTHORIZED = "authorized"
    CAPTURING = "capturing"
    CANCELLING = "cancelling"
    PAID = "paid"
    NOT_PAID = "not_paid"


@dataclass(frozen=True, slots=True)
class AmountRange:
    """What one payment may be, in minor units, both ends included; no `most_minor` is no upper limit."""

    least_minor: int
    most_minor: int | None


MPESA_RANGE: Final = AmountRange(100, 25_000_000)
"""KES 1 to 250,000 (Daraja: M-Pesa Express, `Amount`)."""


def require_collectable(provider: str, amount: Money, offer: Offer | None) -> None:
    """Refuse an amount the provider would refuse; nothing is ever rounded on the payer's behalf.

    Raises:
        AmountNotWhole: M-Pesa takes whole shillings.
        AmountOutOfRange: outside the catalog's limits, or outside the published ones where it has none.
    """
    found = None if offer is None else offer.currencies.get(amount.currency)
    limits = MPESA_RANGE if provider == MPESA else AmountRange(1, None)
    if found is not None:
        limits = AmountRange(found.min_minor, found.max_minor)
    too_much = limits.most_minor is not None and amount.minor > limits.most_minor
    if amount.minor < limits.least_minor or too_much:
        most = None if limits.most_minor is None else Money(limits.most_minor, amount.currency)
        raise AmountOutOfRange(Money(limits.least_minor, amount.currency), most)
    least_step = whole_minor(amount.currency) if provider == MPESA else 1
    if amount.minor % (least_step if found is None else max(least_step, found.step_minor)):
        raise AmountNotWhole(amount.currency)


def require_offered(provider: str, method: Method, capture: CaptureMode, offer: Offer | None) -> None:
    """Raises MethodNotOffered where the provider can't collect this way."""
    methods = {Method.MOBILE_MONEY.value} if provider == MPESA else None
    if offer is not None:
        methods = set(offer.methods) if offer.takes_payments else set()
    if methods is not None and method.value not in methods:
        raise MethodNotOffered(provider, method.value.replace("_", " "))
    can_capture = offer is not None and Feature.CAPTURE.value in offer.features
    if capture is CaptureMode.MANUAL and not can_capture:
        raise MethodNotOffered(provider, "capturing later")


def require_return_url(url: str) -> None:
    """Raises InvalidInput where a browser should not be sent there."""
    parts = urlsplit(url) if url.isprintable() and len(url) <= RETURN_URL_CHARACTERS_MAX else None
    is_safe = parts is not None and bool(parts.hostname) and "@" not in parts.netloc
    is_local = is_safe and parts is not None and parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts is None or not is_safe or not (parts.scheme == "https" or (is_local and parts.scheme == "http")):
        raise InvalidInput("returnUrl", "Expected an https URL, such as https://shop.example.com/thanks.")


def require_served(provider: str, phone: Phone) -> None:
    """Raises PhoneNotServed where the provider can't prompt this number."""
    if provider == MPESA and _MPESA_PHONE.fullmatch(phone.digits) is None:
        raise PhoneNotServed


def require_text(field: str, value: str, characters_max: int) -> None:
    """Raises TextNotUsable where the text is blank, too long, or holds control characters."""
    if not value.strip() or len(value) > characters_max or not value.isprintable():
        raise TextNotUsable(field, characters_max)


def whole_minor(currency: Currency) -> int:
    """Minor units in one whole: 100 for KES."""
    return int(10**currency.exponent)


def make_reference() -> str:
    """Twelve characters of 60 random bits, without the letters that look like digits."""
    # A byte has eight of the 32 letters' worth of values, so none is favoured.
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(REFERENCE_CHARACTERS))


def next_poll_at(submitted_at: datetime, polls: int, ladder_s: Sequence[int]) -> datetime | None:
    """When to ask again after `polls` rungs were taken; None when the ladder is at its end."""
    if polls >= len(ladder_s):
        return None
    return submitted_at + timedelta(seconds=ladder_s[polls])


def is_payer(told: str, phone: Phone) -> bool:
    """Whether a provider's masked, hashed or clear number can be this phone's.

    M-Pesa writes `2547 ***** 001`, older apps a SHA-256 in hex, the oldest the number itself.
    An empty number fits nobody.
    """
    compact = "".join(told.split()).removeprefix("+")
    if not compact:
        return False
    if "*" in compact:
        head, tail = compact.split("*", 1)[0], compact.rsplit("*", 1)[1]
        return phone.digits.startswith(head) and phone.digits.endswith(tail) and bool(head or tail)
    return compact.lower() in {phone.digits, hashlib.sha256(phone.digits.encode()).hexdigest()}


@dataclass(frozen=True, slots=True)
class Paid:
    """The provider says the payer paid."""

    amount: Money | None = None
    """None where it does not say: a query."""
    receipt: str | None = None
    """None where it does not say: a query."""
    fee: Money | None = None
    """What the provider keeps, where it says."""
    excess: Money | None = None
    """What the payer paid beyond `amount`."""


@dataclass(frozen=True, slots=True)
class NotPaid:
    """The provider says it came to nothing."""

    reason: FailureReason
    code: str
    """The provider's own."""
    message: str
    is_sure: bool = True
    """False where the provider's sheet wants one confirming query first."""


@dataclass(frozen=True, slots=True)
class Authorized:
    """The money is reserved and waits to be captured."""

    amount: Money


@dataclass(frozen=True, slots=True)
class StillPending:
    """The provider has not decided."""

    next_action: NextAction | None = None
    failed_attempt: NotPaid | None = None
    """The payer tried and was declined, and may try again."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something is paid, but not what was asked for: nothing may be credited."""

    why: str


Told = Paid | NotPaid
Answer = Paid | Authorized | NotPaid | StillPending | Mismatch
