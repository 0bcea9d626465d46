"""The limits of refunding, and how the refunds of a payment stand together. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from core.money import Money
from tenant_db.refunds.machine import SUCCEEDED, UNDER_WAY, RefundStatus

REASON_CHARACTERS_MAX: Final = 200
SEND_WINDOW: Final = timedelta(hours=24)
"""How long a refund that could not be sent is tried before it fails and its money is free again."""
REVIEW_AFTER: Final = timedelta(hours=24)
"""A refund of unknown outcome by then is shown to a person."""
STRANDED_AFTER: Final = timedelta(minutes=2)
"""Longer than any run may take, its lease included."""
ASK_LADDER_S: Final = (10, 30, 120, 600, 3_600, 21_600, 86_400, 172_800, 432_000, 864_000, 1_728_000)
"""In seconds since it was sent: bank refunds take days, and the last questions come after weeks."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a provider can give back."""

    refunds: bool
    parts: bool


NOTHING_OFFERED: Final = Offer(refunds=False, parts=False)


class RefundOrigin(StrEnum):
    """Who wanted the money to go back."""

    API = "api"
    REVIEW = "review"
    """A person who has decided a review."""
    PROVIDER = "provider"
    """Somebody at the provider, without us: its dashboard, or the provider itself."""


class RefundCause(StrEnum):
    """What made a refund take a step."""

    API = "api"
    JOB = "job"
    QUERY = "query"
    CALLBACK = "callback"
    REVIEW = "review"


class RefundState(StrEnum):
    """How the refunds of one payment stand together."""

    NONE = "none"
    UNDER_WAY = "under_way"
    PARTLY = "partly"
    FULLY = "fully"


def refund_state(paid_minor: int, refunds: Iterable[tuple[RefundStatus, int]]) -> RefundState:
    """`refunds` are those of a payment: status and amount in minor units."""
    under_way, refunded = False, 0
    for status, amount_minor in refunds:
        under_way |= status in UNDER_WAY
        refunded += amount_minor if status is SUCCEEDED else 0
    if under_way:
        return RefundState.UNDER_WAY
    if refunded == 0:
        return RefundState.NONE
    return RefundState.FULLY if refunded >= paid_minor else RefundState.PARTLY


@dataclass(frozen=True, slots=True)
class Done:
    """The provider says the money is on its way back, for good as far as it knows."""

    provider_reference: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Undecided:
    """The provider has taken it and not decided."""

    provider_reference: str | None
    attention: str | None = None
    """What a person must do at the provider."""


@dataclass(frozen=True, slots=True)
class NotDone:
    """The money stays with, or came back to, the business."""

    code: str
    message: str
    provider_reference: str | None = None


Told = Done | Undecided | NotDone
"""What a provider says of a refund."""


def next_ask_at(since: datetime, asks: int, ladder_s: Sequence[int]) -> datetime | None:
    """When the rung after `asks` taken ones is due; None at the end of the ladder."""
    return since + timedelta(seconds=ladder_s[asks]) if asks < len(ladder_s) else None
