"""The states of a tenant, and which may follow which."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from core.tenant import TenantStatus as S

PROVISIONING: Final = (S.REQUESTED, S.DATABASE_CREATED, S.GRANTED, S.VERIFIED)
"""The steps on the way to being active, each safe to repeat."""
HAS_DATABASE: Final = frozenset({S.ACTIVE, S.SUSPENDED, S.CLOSING})
"""Where the database is complete and stays in its place: it is migrated with the fleet."""

NEXT: Mapping[S, AbstractSet[S]] = {
    S.REQUESTED: {S.DATABASE_CREATED, S.FAILED},
    S.DATABASE_CREATED: {S.GRANTED, S.FAILED},
    S.GRANTED: {S.VERIFIED, S.FAILED},
    S.VERIFIED: {S.ACTIVE, S.FAILED},
    S.FAILED: {S.REQUESTED, S.DELETED},
    S.ACTIVE: {S.SUSPENDED, S.MOVING, S.CLOSING},
    S.SUSPENDED: {S.ACTIVE, S.CLOSING},
    S.MOVING: {S.ACTIVE, S.SUSPENDED},
    # Closing is undone where something is still open.
    S.CLOSING: {S.ACTIVE, S.SUSPENDED, S.DELETED},
    S.DELETED: set(),
}
