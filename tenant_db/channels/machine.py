"""The states of a channel, and which may follow which."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum


class ChannelStatus(StrEnum):
    """A channel collects only while it is active."""

    DRAFT = "draft"
    VERIFYING = "verifying"
    VERIFIED = "verified"
    REFUSED = "refused"
    ACTIVE = "active"
    INACTIVE = "inactive"


class ChannelKind(StrEnum):
    """What sort of M-Pesa short code it is."""

    PAYBILL = "paybill"
    TILL = "till"


class Environment(StrEnum):
    """Which of a provider's two systems is meant."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"


NEXT: Mapping[ChannelStatus, AbstractSet[ChannelStatus]] = {
    ChannelStatus.DRAFT: {ChannelStatus.VERIFYING},
    # New credentials are unproven, so they lead back to a draft from anywhere.
    ChannelStatus.VERIFYING: {ChannelStatus.VERIFIED, ChannelStatus.REFUSED, ChannelStatus.DRAFT},
    ChannelStatus.REFUSED: {ChannelStatus.VERIFYING, ChannelStatus.DRAFT},
    ChannelStatus.VERIFIED: {ChannelStatus.ACTIVE, ChannelStatus.VERIFYING, ChannelStatus.DRAFT},
    ChannelStatus.ACTIVE: {ChannelStatus.INACTIVE, ChannelStatus.DRAFT},
    ChannelStatus.INACTIVE: {ChannelStatus.ACTIVE, ChannelStatus.VERIFYING, ChannelStatus.DRAFT},
}
