"""The states of a channel, and which may follow which."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final


class ChannelStatus(StrEnum):
    """A channel collects only while it is active. It is a draft until it has keys."""

    DRAFT = "draft"
    CONFIGURED = "configured"
    VERIFYING = "verifying"
    VERIFIED = "verified"
    REFUSED = "refused"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    INACTIVE = "inactive"


class ChannelKind(StrEnum):
    """What sort of M-Pesa short code it is."""

    PAYBILL = "paybill"
    TILL = "till"
    BUYGOODS = "buygoods"


class Environment(StrEnum):
    """Which of a provider's two systems is meant."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"


class UrlsState(StrEnum):
    """Where the registration of a channel's C2B URLs stands."""

    NONE = "none"
    REQUESTED = "requested"
    REGISTERED = "registered"
    ELSEWHERE = "elsewhere"
    """Others stand, which M-Pesa replaces only by its support."""
    REFUSED = "refused"


class AccountMatch(StrEnum):
    """How an entry of an account mapping fits what payers type; the more exact wins."""

    EXACT = "exact"
    PREFIX = "prefix"
    DEFAULT = "default"


class RequestKind(StrEnum):
    """What an operator was asked for."""

    VERIFICATION = "verification"
    BALANCE = "balance"
    RECEIPT = "receipt"
    REFUND = "refund"


class RequestState(StrEnum):
    """Where a request that is answered later stands."""

    SENDING = "sending"
    """Written before it was sent; a run that died leaves it so."""
    WAITING = "waiting"
    ANSWERED = "answered"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"


PROOF_KEYS: Final = "keys"
"""The provider took the keys for this short code; no money moved."""
PROOF_BALANCE: Final = "balance"
"""The operator was told the balance: keys, operator and short code belong together."""

_KEYS_AGAIN = {ChannelStatus.CONFIGURED}
"""New credentials are unproven, wherever the channel stood."""

NEXT: Mapping[ChannelStatus, AbstractSet[ChannelStatus]] = {
    # Drafts of the first release have their keys.
    ChannelStatus.DRAFT: {ChannelStatus.VERIFYING} | _KEYS_AGAIN,
    ChannelStatus.CONFIGURED: {ChannelStatus.VERIFYING},
    ChannelStatus.VERIFYING: {ChannelStatus.VERIFIED, ChannelStatus.REFUSED} | _KEYS_AGAIN,
    ChannelStatus.REFUSED: {ChannelStatus.VERIFYING} | _KEYS_AGAIN,
    ChannelStatus.VERIFIED: {ChannelStatus.ACTIVE, ChannelStatus.VERIFYING} | _KEYS_AGAIN,
    ChannelStatus.ACTIVE: {ChannelStatus.SUSPENDED, ChannelStatus.INACTIVE} | _KEYS_AGAIN,
    ChannelStatus.SUSPENDED: {ChannelStatus.ACTIVE, ChannelStatus.INACTIVE} | _KEYS_AGAIN,
    ChannelStatus.INACTIVE: {ChannelStatus.ACTIVE, ChannelStatus.VERIFYING} | _KEYS_AGAIN,
}
