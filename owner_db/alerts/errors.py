"""Refusals about the platform's alerts.

DomainError
└── PlatformAlertResolved   it was dealt with before
"""

from core.errors import DomainError


class PlatformAlertResolved(DomainError):
    """The platform's alert was dealt with before."""

    code = "PLATFORM_ALERT_RESOLVED"

    def __init__(self) -> None:
        super().__init__("This alert is resolved. The same trouble again would be a new alert.")
