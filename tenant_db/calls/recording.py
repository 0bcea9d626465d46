"""Keeps the redacted log of outside calls."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.ids import new_id
from tenancy.sessions import TenantSession
from tenant_db.calls.models import ProviderCall


@dataclass(frozen=True, slots=True)
class NewCall:
    """One call that has ended, redacted by whoever made it."""

    provider: str
    operation: str
    method: str
    path: str
    request: dict[str, Any]
    status: int | None
    response: dict[str, Any] | None
    outcome: str
    duration_ms: int


def record_call(session: TenantSession, subject_id: UUID, new: NewCall) -> None:
    """Add one call made for a payment or channel."""
    session.add(
        ProviderCall(
            id=new_id(),
            provider=new.provider,
            operation=new.operation,
            subject_id=subject_id,
            method=new.method,
            path=new.path,
            request=new.request,
            status=new.status,
            response=new.response,
            outcome=new.outcome,
            duration_ms=new.duration_ms,
        )
    )
