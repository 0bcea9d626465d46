"""Refusals about disputes.

DomainError
└── DisputeClosed   it is decided; depends on state, so an idempotency key remembers it
"""

from core.errors import DomainError


class DisputeClosed(DomainError):
    """The bank has decided."""

    code = "DISPUTE_CLOSED"
    is_stored = True

    def __init__(self, dispute_status: str) -> None:
        super().__init__(f"This dispute is {dispute_status}: evidence comes too late.")
        self.dispute_status = dispute_status
