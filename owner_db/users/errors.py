"""Refusals about people and keys.

DomainError
├── WrongCredentials       e-mail and password do not match
├── EmailTaken             someone has registered with it
├── WeakPassword           too short, or known from leaks
├── EmailNotVerified       the address must be confirmed first
├── LinkInvalid            a mailed link is unknown, used or too old
├── SessionEnded           a refresh token is unknown, used twice or too old
├── NotAMember             the user has no role in that business
├── LastOwner              a business keeps at least one owner
├── AlreadyMember          the person is one already
├── ScopeTooWide           a key may not do more than the person who makes it
├── RegistrationClosed     an invitation is needed
└── TooManyTenants         the user has as many businesses as allowed
"""

from core.errors import DomainError


class WrongCredentials(DomainError):
    code = "WRONG_CREDENTIALS"

    def __init__(self) -> None:
        super().__init__("E-mail address and password do not match. Check both, or reset the password.")


class EmailTaken(DomainError):
    code = "EMAIL_TAKEN"

    def __init__(self) -> None:
        super().__init__("Someone has registered with this address. Sign in, or reset the password.")


class WeakPassword(DomainError):
    code = "WEAK_PASSWORD"

    def __init__(self, message: str) -> None:
        super().__init__(message)


class EmailNotVerified(DomainError):
    code = "EMAIL_NOT_VERIFIED"

    def __init__(self) -> None:
        super().__init__("Confirm your e-mail address first: follow the link we sent you.")


class LinkInvalid(DomainError):
    code = "LINK_INVALID"

    def __init__(self) -> None:
        super().__init__("This link is unknown, was used before, or is too old. Ask for a new one.")


class SessionEnded(DomainError):
    code = "SESSION_ENDED"

    def __init__(self) -> None:
        super().__init__("Your session has ended. Sign in again.")


class NotAMember(DomainError):
    code = "NOT_A_MEMBER"

    def __init__(self) -> None:
        super().__init__("You have no role in this business. Ask its owner for an invitation.")


class LastOwner(DomainError):
    code = "LAST_OWNER"

    def __init__(self) -> None:
        super().__init__("A business keeps at least one owner. Make someone else an owner first.")


class AlreadyMember(DomainError):
    code = "ALREADY_MEMBER"

    def __init__(self) -> None:
        super().__init__("This person is a member already. Change the role instead.")


class ScopeTooWide(DomainError):
    code = "SCOPE_TOO_WIDE"

    def __init__(self, scope: str) -> None:
        super().__init__(f"You can't grant {scope}, because your own role does not have it.")
        self.scope = scope


class RegistrationClosed(DomainError):
    code = "REGISTRATION_CLOSED"

    def __init__(self) -> None:
        super().__init__("Registration is by invitation. Ask the platform's staff for one.")


class TooManyTenants(DomainError):
    code = "TOO_MANY_TENANTS"

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} businesses, which is the most one person may have.")
        self.limit = limit
