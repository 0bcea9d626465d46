"""Who did what, when, from where and why, written in the transaction it describes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tenancy.columns import AuditColumns
from tenancy.context import OwnerContext, TenantContext
from tenancy.sessions import OwnerSession, TenantSession
from tenancy.shapes import add_row


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where."""

    kind: str
    """`user`, `api_key`, `staff`, `operator` or `system`."""
    id: UUID | None = None
    ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


SYSTEM: Final = Actor("system")
"""A job or sweep, which nobody asked for in person."""
OPERATOR: Final = Actor("operator")
"""Whoever may use the command line."""


def acting(context: TenantContext | OwnerContext) -> Actor:
    """The caller of this request. Raises NotSignedIn."""
    principal = context.signed_in()
    request = context.request
    return Actor(principal.kind, principal.id, request.ip, request.user_agent, request.id)


def record_audit(
    session: OwnerSession | TenantSession,
    actor: Actor,
    action: str,
    *,
    subject: str | None = None,
    reason: str | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Add a row to the log of the session's database; it stands or falls with the transaction.

    `subject` is the TypeID of what it was done to. `details` must hold no secret and no full phone.
    """
    add_row(
        session,
        AuditColumns,
        actor_kind=actor.kind,
        actor_id=actor.id,
        action=action,
        subject=subject,
        reason=reason,
        ip=actor.ip,
        user_agent=actor.user_agent,
        request_id=actor.request_id,
        details=dict(details or {}),
    )
