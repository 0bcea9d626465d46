"""Refusals about statements.

DomainError
├── StatementUnreadable   the file as a whole is no statement of this provider
├── StatementMisplaced    it is a statement of another short code or account
└── MatchRefused          lines and transfers can't be the same money
"""

from core.errors import DomainError


class StatementUnreadable(DomainError):
    """The file as a whole can't be read as a statement of this provider."""

    code = "STATEMENT_UNREADABLE"


class StatementMisplaced(DomainError):
    """The file is a statement of another short code or account."""

    code = "STATEMENT_MISPLACED"


class MatchRefused(DomainError):
    """These lines and transfers can't be matched, or one of them is matched already."""

    code = "MATCH_REFUSED"
    is_stored = True
