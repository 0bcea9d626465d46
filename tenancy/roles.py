"""What a role may do: a scope is `{area}:{read | write}`."""

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What someone is to a tenant."""

    OWNER = "owner"
    ADMIN = "admin"
    FINANCE = "finance"
    DEVELOPER = "developer"
    CASHIER = "cashier"
    VIEWER = "viewer"


class PlatformRole(StrEnum):
    """What someone is to the platform."""

    ADMIN = "platform_admin"
    FINANCE = "platform_finance"
    SUPPORT = "platform_support"


class Scope(StrEnum):
    """One thing a token or API key may do."""

    PAYMENTS_READ = "payments:read"
    PAYMENTS_WRITE = "payments:write"
    PAYMENTS_REFUND = "payments:refund"
    """Gives money back: who may take it may not always."""
    STORES_READ = "stores:read"
    STORES_WRITE = "stores:write"
    CHANNELS_READ = "channels:read"
    CHANNELS_WRITE = "channels:write"
    LEDGER_READ = "ledger:read"
    LEDGER_WRITE = "ledger:write"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    AUDIT_READ = "audit:read"
    TENANT_WRITE = "tenant:write"
    PLATFORM_READ = "platform:read"
    PLATFORM_WRITE = "platform:write"
    PLATFORM_MONEY = "platform:money"


_TENANT = frozenset(scope for scope in Scope if not scope.startswith("platform:"))
_READS = frozenset({Scope.PAYMENTS_READ, Scope.STORES_READ, Scope.CHANNELS_READ, Scope.LEDGER_READ})

ROLE_SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.OWNER: _TENANT,
    Role.ADMIN: _TENANT - {Scope.LEDGER_WRITE},
    Role.FINANCE: _READS
    | {
        Scope.PAYMENTS_WRITE,
        Scope.PAYMENTS_REFUND,
        Scope.LEDGER_WRITE,
        Scope.AUDIT_READ,
        Scope.MEMBERS_READ,
    },
    Role.DEVELOPER: _READS
    | {
        Scope.PAYMENTS_WRITE,
        Scope.CHANNELS_WRITE,
        Scope.KEYS_READ,
        Scope.KEYS_WRITE,
        Scope.WEBHOOKS_READ,
        Scope.WEBHOOKS_WRITE,
        Scope.MEMBERS_READ,
    },
    Role.CASHIER: frozenset({Scope.PAYMENTS_READ, Scope.PAYMENTS_WRITE, Scope.STORES_READ}),
    Role.VIEWER: _READS,
}

PLATFORM_SCOPES: Mapping[PlatformRole, frozenset[Scope]] = {
    PlatformRole.ADMIN: frozenset({Scope.PLATFORM_READ, Scope.PLATFORM_WRITE, Scope.PLATFORM_MONEY}),
    PlatformRole.FINANCE: frozenset({Scope.PLATFORM_READ, Scope.PLATFORM_MONEY}),
    PlatformRole.SUPPORT: frozenset({Scope.PLATFORM_READ}),
}
