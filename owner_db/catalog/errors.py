"""Refusals about the catalog.

DomainError
├── ProviderUnknown     no such provider, or it is inactive
├── ProviderCodeTaken   the catalog has a provider of this code
└── ProviderNotOffered  it takes no new accounts
"""

from core.errors import DomainError


class ProviderUnknown(DomainError):
    """There is no such payment provider, or it is inactive."""

    code = "PROVIDER_UNKNOWN"

    def __init__(self, provider: str) -> None:
        super().__init__(f"There is no payment provider {provider}, or it is inactive.")
        self.provider = provider


class ProviderCodeTaken(DomainError):
    """The catalog has a payment provider of this code already."""

    code = "PROVIDER_CODE_TAKEN"

    def __init__(self, provider: str) -> None:
        super().__init__(f"The catalog has a provider {provider} already. Change that one instead.")
        self.provider = provider


class ProviderNotOffered(DomainError):
    """The payment provider takes no new accounts."""

    code = "PROVIDER_NOT_OFFERED"

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} takes no new accounts; those there are go on.")
        self.provider = provider
