"""Refusals about findings.

DomainError
└── FindingNotOpen   it was resolved before, or is no longer seen
"""

from core.errors import DomainError


class FindingNotOpen(DomainError):
    """The finding was resolved before, or a later check no longer saw it."""

    code = "FINDING_NOT_OPEN"
    is_stored = True

    def __init__(self, finding_state: str) -> None:
        super().__init__(f"This finding is {finding_state}: there is nothing left to resolve.")
        self.finding_state = finding_state
