"""What an order may look like, and what is due, overpaid and refunded of it. Pure."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core.currency import Currency
from core.errors import InvalidInput
from core.money import Money
from tenant_db.orders.machine import CANCELLED, EXPIRED, OrderRefundStatus, OrderStatus

ITEMS_MAX: Final = 100
ITEM_NAME_CHARACTERS_MAX: Final = 120
QUANTITY_MAX: Final = 1_000_000
REFERENCE_CHARACTERS_MAX: Final = 64
"""As a payment's order reference."""
MADE_REFERENCE_CHARACTERS: Final = 10
"""Short enough to be typed on a phone; one shorter than that could be guessed, but opens nothing."""
DESCRIPTION_CHARACTERS_MAX: Final = 100
"""As a payment's description."""
LINK_KEY_BYTES: Final = 32
NAME_CHARACTERS_MAX: Final = 100
EMAIL_CHARACTERS_MAX: Final = 254

OPEN_FOR: Final = timedelta(days=7)
"""How long an order is open where nobody says."""
OPEN_FOR_MAX: Final = timedelta(days=366)
LAST_ATTEMPT_GRACE: Final = timedelta(minutes=10)
"""How long an order whose time is over waits for an attempt that was begun before."""

_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class NewItem:
    """One line of an order."""

    name: str
    quantity: int
    unit_price_minor: int
    """In the order's currency."""

    @property
    def total_minor(self) -> int:
        return self.quantity * self.unit_price_minor


@dataclass(frozen=True, slots=True)
class Sums:
    """What an order's counters come to."""

    status: OrderStatus
    total: Money
    paid: Money
    refunded: Money

    @property
    def due(self) -> Money:
        """What a payer still owes: nothing once it is paid or cancelled."""
        if self.status is CANCELLED:
            return Money(0, self.total.currency)
        return Money(max(0, self.total.minor - self.paid.minor), self.total.currency)

    @property
    def overpaid(self) -> Money:
        """What came in and should go back: above the total, or for an order that came to nothing."""
        owed = 0 if self.status in (CANCELLED, EXPIRED) else self.total.minor
        return Money(max(0, self.paid.minor - self.refunded.minor - owed), self.total.currency)

    @property
    def refund_status(self) -> OrderRefundStatus:
        """What went back of an overpayment alone is no refund of the order."""
        kept = self.paid.minor - self.refunded.minor
        if not self.refunded.minor or kept >= self.total.minor:
            return OrderRefundStatus.NONE
        return OrderRefundStatus.REFUNDED if kept <= 0 else OrderRefundStatus.PARTIALLY_REFUNDED


def total_of(items: Sequence[NewItem], currency: Currency, said: Money | None) -> Money:
    """The sum of all lines; `said` is what the caller has computed.

    Raises:
        InvalidInput: there is no item or too many, a line makes no sense, or the sum is another.
    """
    if not 1 <= len(items) <= ITEMS_MAX:
        raise InvalidInput("items", f"An order has 1 to {ITEMS_MAX} items.")
    for number, item in enumerate(items):
        _require_item(item, f"items.{number}")
    total = Money(sum(item.total_minor for item in items), currency)
    if total.minor <= 0:
        raise InvalidInput("items", "The items must come to more than nothing.")
    if said is not None and said != total:
        raise InvalidInput("total", f"The items come to {total}, not to {said}.")
    return total


def _require_item(item: NewItem, field: str) -> None:
    require_text(f"{field}.name", item.name, ITEM_NAME_CHARACTERS_MAX)
    if not 1 <= item.quantity <= QUANTITY_MAX:
        raise InvalidInput(f"{field}.quantity", f"A quantity is 1 to {QUANTITY_MAX}.")
    if item.unit_price_minor < 0:
        raise InvalidInput(f"{field}.unitPriceMinor", "A price is zero or more.")
    # Refuses a product of more digits than the database holds.
    Money(item.total_minor, Currency.KES)


def require_text(field: str, value: str, characters_max: int) -> None:
    """Raises InvalidInput where the text is blank, too long, or holds control characters."""
    if not value.strip() or len(value) > characters_max or not value.isprintable():
        raise InvalidInput(field, f"{field} must have 1 to {characters_max} printable characters.")


def require_reference(value: str) -> None:
    """Raises InvalidInput unless it can be typed and found again: no spaces around it."""
    require_text("reference", value, REFERENCE_CHARACTERS_MAX)
    if value != value.strip():
        raise InvalidInput("reference", "A reference begins and ends without spaces.")


def require_email(value: str) -> None:
    """Raises InvalidInput where it can be no address."""
    require_text("email", value, EMAIL_CHARACTERS_MAX)
    if _EMAIL.fullmatch(value) is None:
        raise InvalidInput("email", "This is no e-mail address. Write it as name@example.com.")


def expiry(wanted: datetime | None, now: datetime) -> datetime:
    """When a new order's time is over. Raises InvalidInput where that is past or too far."""
    if wanted is None:
        return now + OPEN_FOR
    if not now < wanted <= now + OPEN_FOR_MAX:
        raise InvalidInput("expiresAt", f"An order is open for up to {OPEN_FOR_MAX.days} days from now.")
    return wanted


def new_link_key() -> bytes:
    """What proves the links to an order; whoever replaces it ends them all."""
    return secrets.token_bytes(LINK_KEY_BYTES)


def make_reference() -> str:
    """Ten letters and digits, without those that look alike."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(MADE_REFERENCE_CHARACTERS))
