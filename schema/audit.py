"""Who did what in a business."""

from datetime import datetime
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.ids import Kind, outside
from resolvers import audit
from schema.connections import After, Connection, First, connection, page_request
from tenancy.context import TenantContext
from tenant_db.audit.models import TenantAudit


@strawberry.type(description="One thing that somebody did.")
class AuditEntry:
    id: strawberry.ID = strawberry.field(description="Starts with audit_.")
    actor_kind: str = strawberry.field(
        description="Who did it: `user`, `api_key`, `staff`, `operator` or `system`."
    )
    actor_id: strawberry.ID | None = strawberry.field(
        description="The user's or API key's id; null for the system."
    )
    action: str = strawberry.field(description="What was done, such as `initiate_payment`.")
    subject: str | None = strawberry.field(description="The id of what it was done to.")
    reason: str | None = strawberry.field(description="Why, in their words.")
    ip: str | None = strawberry.field(description="From where.")
    user_agent: str | None = strawberry.field(description="With which program.")
    request_id: str | None = strawberry.field(description="The request's id, as the logs have it.")
    created_at: datetime = strawberry.field(description="When.")

    @classmethod
    def of(cls, row: TenantAudit) -> "AuditEntry":
        return cls(
            id=strawberry.ID(outside(Kind.AUDIT, row.id)),
            actor_kind=row.actor_kind,
            actor_id=_actor(row.actor_kind, row.actor_id),
            action=row.action,
            subject=row.subject,
            reason=row.reason,
            ip=row.ip,
            user_agent=row.user_agent,
            request_id=row.request_id,
            created_at=row.created_at,
        )


def _actor(kind: str, id: UUID | None) -> strawberry.ID | None:
    if id is None:
        return None
    return strawberry.ID(outside(Kind.API_KEY if kind == "api_key" else Kind.USER, id))


@strawberry.type(description="The audit log.")
class AuditQueries:
    @strawberry.field(description="Who did what in your business, newest first. Needs audit:read.")
    async def audit_log(
        self, info: Info[TenantContext, None], first: First = 20, after: After = None
    ) -> Connection[AuditEntry]:
        scope = info.context.tenant.id
        page = await audit.audit_log(info.context, page_request(first, after, scope))
        return connection(page, AuditEntry.of, scope, after=after)
