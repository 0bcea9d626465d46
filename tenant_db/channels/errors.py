"""Refusals about channels.

DomainError
├── ShortCodeTaken       another channel of this business has the short code
├── ChannelNotVerified   only what was proven may collect
└── ChannelStillActive   deactivate it first
"""

from core.errors import DomainError


class ShortCodeTaken(DomainError):
    """Another channel of this business has this short code in this environment."""

    code = "SHORT_CODE_TAKEN"

    def __init__(self, short_code: str) -> None:
        super().__init__(f"You have a channel for {short_code} already. Replace its credentials instead.")
        self.short_code = short_code


class ChannelNotVerified(DomainError):
    """The channel's credentials are not proven, so it can't collect."""

    code = "CHANNEL_NOT_VERIFIED"

    def __init__(self, status: str) -> None:
        super().__init__(f"This channel is {status}. Call verifyChannel and wait until it is verified.")
        self.status = status


class ChannelStillActive(DomainError):
    """The channel collects, and would stop while it is verified again."""

    code = "CHANNEL_STILL_ACTIVE"

    def __init__(self) -> None:
        super().__init__("This channel is active and verified. Deactivate it first to verify it again.")
