"""Refusals about channels.

DomainError
├── ShortCodeTaken       another channel of this business has the short code
├── ChannelNotVerified   only what was proven may collect
├── ChannelStillActive   deactivate it first
├── ChannelNotSuspended  only what is suspended can be resumed
├── ChannelHasNoKeys     nothing can be asked of M-Pesa yet
├── ChannelHasNoOperator what is asked needs an operator's name and password
├── AccountTaken         the mapping has this pattern
└── MappingFull          a mapping has its limit
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


class ChannelNotSuspended(DomainError):
    """Only an active channel can be suspended, and only a suspended one resumed."""

    code = "CHANNEL_NOT_SUSPENDED"

    def __init__(self, status: str) -> None:
        super().__init__(f"This channel is {status}. Suspend what is active; resume what is suspended.")
        self.status = status


class ChannelHasNoKeys(DomainError):
    """The channel is a draft without keys, so M-Pesa can't be asked anything."""

    code = "CHANNEL_HAS_NO_KEYS"

    def __init__(self) -> None:
        super().__init__("This channel has no keys yet. Call replaceChannelCredentials first.")


class ChannelHasNoOperator(DomainError):
    """The channel has no operator, which balances, statuses and reversals need."""

    code = "CHANNEL_HAS_NO_OPERATOR"

    def __init__(self) -> None:
        super().__init__("This channel has no operator name and password. Call setChannelOperator first.")


class AccountTaken(DomainError):
    """The channel's mapping has an entry with this pattern."""

    code = "ACCOUNT_TAKEN"

    def __init__(self, pattern: str) -> None:
        super().__init__(f"This channel maps {pattern} already. Remove that entry first.")
        self.pattern = pattern


class MappingFull(DomainError):
    """A channel's mapping has as many entries as it may have."""

    code = "MAPPING_FULL"

    def __init__(self, most: int) -> None:
        super().__init__(f"A channel maps at most {most} accounts. Use a prefix such as VIP* for many.")
        self.most = most
