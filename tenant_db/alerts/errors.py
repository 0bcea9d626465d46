"""Refusals about alerts.

DomainError
└── AlertResolved   it was dealt with before
"""

from core.errors import DomainError


class AlertResolved(DomainError):
    """The alert was dealt with before."""

    code = "ALERT_RESOLVED"

    def __init__(self) -> None:
        super().__init__("This alert is resolved. The same trouble again would be a new alert.")
