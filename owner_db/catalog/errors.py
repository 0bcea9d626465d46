"""Refusals about the catalog.

DomainError
└── ProviderUnknown   no such provider, or it is switched off
"""

from core.errors import DomainError


class ProviderUnknown(DomainError):
    code = "PROVIDER_UNKNOWN"

    def __init__(self, provider: str) -> None:
        super().__init__(f"There is no payment provider {provider}, or it is switched off.")
        self.provider = provider
