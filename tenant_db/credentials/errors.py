"""Refusals about provider accounts.

DomainError
├── ConfigurationInvalid     values that the provider's schema does not take, each by its field
├── AccountNameTaken         another account of the provider has the name
├── TooManyProviderAccounts          the business has as many as it may
├── AccountNotProven         no test with its present keys has succeeded
├── AccountDisabled          only one that may be used can be the default
├── AccountOfChannel         an M-Pesa channel's keys are managed with the channel
└── ImportNotReversible      it was rolled back already
"""

from collections.abc import Sequence

from core.config_schemas import Violation
from core.errors import DomainError


class ConfigurationInvalid(DomainError):
    """Some values don't fit the provider's configuration schema; nothing was stored."""

    code = "CONFIGURATION_INVALID"

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(" ".join(violation.message for violation in violations))
        self.violations = violations


class AccountNameTaken(DomainError):
    """You have an account of this provider with this name in this environment."""

    code = "ACCOUNT_NAME_TAKEN"

    def __init__(self, name: str) -> None:
        super().__init__(f"You have an account {name} of this provider here. Choose another name.")
        self.name = name


class TooManyProviderAccounts(DomainError):
    """The business has as many provider accounts as it may."""

    code = "TOO_MANY_PROVIDER_ACCOUNTS"

    def __init__(self, at_most: int) -> None:
        super().__init__(f"A business has at most {at_most} provider accounts.")
        self.at_most = at_most


class AccountNotProven(DomainError):
    """No test of the account's present keys has succeeded."""

    code = "ACCOUNT_NOT_PROVEN"

    def __init__(self) -> None:
        super().__init__("Call testProviderAccount and wait until its keys are proven.")


class AccountDisabled(DomainError):
    """The account is switched off."""

    code = "ACCOUNT_DISABLED"

    def __init__(self) -> None:
        super().__init__("This account is switched off: call enableProviderAccount first.")


class AccountOfChannel(DomainError):
    """The account belongs to an M-Pesa channel, and is managed with it."""

    code = "ACCOUNT_OF_CHANNEL"

    def __init__(self) -> None:
        super().__init__("This account belongs to an M-Pesa channel: manage its keys with the channel.")


class ImportNotReversible(DomainError):
    """The import was rolled back already."""

    code = "IMPORT_NOT_REVERSIBLE"

    def __init__(self) -> None:
        super().__init__("This import was rolled back already.")
