"""Refusals on the way to a tenant's database.

DomainError
├── NotSignedIn            no token, or one that no longer counts
│   └── LinkExpired        the time of a link to a file is over
├── Forbidden              the role or key lacks a scope
├── NoTenant               the token names no business yet
├── WrongTenant            header or subdomain names another business than the token
├── TransactionInterrupted the database undid it for a reason that passes
├── RateLimited            too much in too short a time
├── FeedInterrupted        a stream missed more than it can make up for
└── TenantNotServed
    ├── TenantUnknown
    ├── TenantSuspended
    ├── TenantUnavailable  closing, moving, being made, or its server is down
    ├── TenantMigrating    its schema is older than this process serves
    └── Capacity           all connections are busy
"""

from core.errors import DomainError


class NotSignedIn(DomainError):
    """You are not signed in, or your token or API key no longer counts."""

    code = "NOT_SIGNED_IN"

    def __init__(self, message: str = "Sign in, or send a valid API key, and try again.") -> None:
        super().__init__(message)


class LinkExpired(NotSignedIn):
    """The time of this link to a file is over; ask for a new one."""

    code = "LINK_EXPIRED"

    def __init__(self) -> None:
        super().__init__("This link has expired. Ask for a new one.")


class Forbidden(DomainError):
    """Your role or API key lacks the scope this needs."""

    code = "FORBIDDEN"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This needs the scope {scope}, which your role or API key does not have.")
        self.scope = scope


class NoTenant(DomainError):
    """Your token names no business yet; choose one with switchTenant."""

    code = "NO_TENANT"

    def __init__(self) -> None:
        super().__init__("Choose a business first: call switchTenant and use the token it returns.")


class WrongTenant(DomainError):
    """The subdomain or the X-Tenant-Id header names another business than your token."""

    code = "WRONG_TENANT"

    def __init__(self) -> None:
        super().__init__("The address or the X-Tenant-Id header names another business than your token.")


class RateLimited(DomainError):
    """You asked for too much in too short a time; wait `retry_after_s` seconds."""

    code = "RATE_LIMITED"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many requests. Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class FeedInterrupted(DomainError):
    """Too much has changed for this stream to tell: read the list, and subscribe again, without `since`."""

    code = "FEED_INTERRUPTED"

    def __init__(self) -> None:
        super().__init__(
            "Too much has changed meanwhile. Read the list, and subscribe again, without `since`."
        )


class TransactionInterrupted(DomainError):
    """A deadlock, or a migration that ran at the same moment; nothing was committed."""

    code = "RETRY"
    retry_after_s = 1

    def __init__(self) -> None:
        super().__init__("This was interrupted before it was done. Send the same request again.")


class TenantNotServed(DomainError):
    """The tenant can't be reached now; no connection was opened."""

    retry_after_s: int | None = None


class TenantUnknown(TenantNotServed):
    """There is no such business."""

    code = "TENANT_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("There is no such business.")


class TenantSuspended(TenantNotServed):
    """This business is suspended."""

    code = "TENANT_SUSPENDED"

    def __init__(self) -> None:
        super().__init__("This business is suspended. Contact support.")


class TenantUnavailable(TenantNotServed):
    """This business cannot be reached now."""

    code = "TENANT_UNAVAILABLE"
    retry_after_s = 30

    def __init__(self, message: str = "This business can't be reached now. Try again in a moment.") -> None:
        super().__init__(message)


class TenantMigrating(TenantNotServed):
    """This business is being upgraded; try again in half a minute."""

    code = "TENANT_MIGRATING"
    retry_after_s = 30

    def __init__(self) -> None:
        super().__init__("This business is being upgraded. Try again in half a minute.")


class Capacity(TenantNotServed):
    """All connections are busy; try again in a second."""

    code = "CAPACITY"
    retry_after_s = 1

    def __init__(self) -> None:
        super().__init__("All connections are busy. Try again in a second.")
