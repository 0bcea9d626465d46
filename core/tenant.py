"""What a tenant can be: its kind, and where it is in its life."""

from enum import StrEnum


class TenantStatus(StrEnum):
    """Where a tenant is in its life: the steps of provisioning, then service, then closing."""

    REQUESTED = "requested"
    DATABASE_CREATED = "database_created"
    GRANTED = "granted"
    VERIFIED = "verified"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    MOVING = "moving"
    CLOSING = "closing"
    DELETED = "deleted"
    FAILED = "failed"


class TenantKind(StrEnum):
    """What sort of business a tenant is."""

    INDIVIDUAL = "individual"
    HOUSEHOLD = "household"
    SMALL_BUSINESS = "small_business"
    ENTERPRISE = "enterprise"
    HOLDING = "holding"
