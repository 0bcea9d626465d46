"""The owner schema's alerts, and the queues of businesses."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.alerts import AlertKind, AlertState, Severity
from core.ids import Kind, inside, outside
from owner_db.alerts.errors import PlatformAlertResolved
from owner_db.alerts.models import PlatformAlert as PlatformAlertRow
from resolvers import platform_alerts
from resolvers.platform_alerts import PlatformAlertFilter
from schema.alert_types import AlertResolvedError
from schema.connections import OWNER_SCOPE, After, Connection, First, connection, page_request
from schema.errors import ForbiddenError, InvalidInputError, NotFoundError, Refusal
from schema.platform import TenantUnknownError
from tenancy.context import OwnerContext

REFUSALS = (Refusal(PlatformAlertResolved, AlertResolvedError),)


@strawberry.type(description="One trouble of the platform, or of a business as the business was shown it.")
class PlatformAlert:
    id: strawberry.ID = strawberry.field(description="Its id; starts with alert_.")
    tenant_id: strawberry.ID | None = strawberry.field(description="Whose trouble; null: the platform's.")
    is_copy: bool = strawberry.field(
        description="Whether the business was shown it too. Dealing with it here deals with it there."
    )
    kind: AlertKind = strawberry.field(description="What sort of trouble it is.")
    severity: Severity = strawberry.field(description="How soon somebody should look.")
    subject: str = strawberry.field(description="What it is about: an id of the business, or a name.")
    message: str = strawberry.field(description="What happened, in English; of the last time.")
    state: AlertState = strawberry.field(description="Whether somebody deals with it.")
    count: int = strawberry.field(
        description="How often it was seen; of a copy, when it was last copied: at each doubling."
    )
    created_at: datetime = strawberry.field(description="When it was first seen.")
    last_at: datetime = strawberry.field(description="When it was last seen.")
    acknowledged_at: datetime | None = strawberry.field(description="When somebody took it on.")
    resolved_at: datetime | None = strawberry.field(description="When it was dealt with.")
    note: str | None = strawberry.field(description="What was done about it.")

    @classmethod
    def of(cls, row: PlatformAlertRow) -> "PlatformAlert":
        tenant_id = row.tenant_id
        return cls(
            id=strawberry.ID(outside(Kind.ALERT, row.id)),
            tenant_id=None if tenant_id is None else strawberry.ID(outside(Kind.TENANT, tenant_id)),
            is_copy=row.source_id is not None,
            kind=AlertKind(row.kind),
            severity=Severity(row.severity),
            subject=row.subject,
            message=row.message,
            state=AlertState(row.state),
            count=row.count,
            created_at=row.created_at,
            last_at=row.last_at,
            acknowledged_at=row.acknowledged_at,
            resolved_at=row.resolved_at,
            note=row.note,
        )


@strawberry.input(description="Which alert, and why or how.")
class PlatformAlertInput:
    id: strawberry.ID = strawberry.field(description="The alert; starts with alert_.")
    reason: str = strawberry.field(description="For the audit log: 1 to 500 characters.")


@strawberry.type(description="Somebody of the platform deals with it.")
class AcknowledgePlatformAlertSuccess:
    alert: PlatformAlert = strawberry.field(description="The alert now.")


@strawberry.type(description="It is dealt with.")
class ResolvePlatformAlertSuccess:
    alert: PlatformAlert = strawberry.field(description="The alert now.")


AcknowledgePlatformAlertResult = Annotated[
    AcknowledgePlatformAlertSuccess
    | AlertResolvedError
    | TenantUnknownError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("AcknowledgePlatformAlertResult", description="Whether it is taken on."),
]
ResolvePlatformAlertResult = Annotated[
    ResolvePlatformAlertSuccess
    | AlertResolvedError
    | TenantUnknownError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("ResolvePlatformAlertResult", description="Whether it is resolved."),
]

OnlyTenant = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only alerts of this business; starts with ten_.")
]
OnlyState = Annotated[AlertState | None, strawberry.argument(description="Only alerts in this state.")]
OnlyKind = Annotated[AlertKind | None, strawberry.argument(description="Only alerts of this kind.")]
OnlySeverity = Annotated[Severity | None, strawberry.argument(description="Only alerts as grave as this.")]
Which = Annotated[PlatformAlertInput, strawberry.argument(description="Which, and why.")]


@strawberry.type(description="What the platform's staff must look at.")
class PlatformAlertQueries:
    @strawberry.field(
        description="Alerts of the platform and of every business, newest first. Needs platform:read."
    )
    async def alerts(  # noqa: PLR0917 - GraphQL arguments are named by the client
        self,
        info: Info[OwnerContext, None],
        first: First = 20,
        after: After = None,
        tenant_id: OnlyTenant = None,
        state: OnlyState = None,
        kind: OnlyKind = None,
        severity: OnlySeverity = None,
    ) -> Connection[PlatformAlert]:
        tenant = None if tenant_id is None else inside(Kind.TENANT, tenant_id)
        only = PlatformAlertFilter(tenant, state, kind, severity)
        page = await platform_alerts.alerts(info.context, page_request(first, after, OWNER_SCOPE), only)
        return connection(page, PlatformAlert.of, OWNER_SCOPE, after=after)


@strawberry.type(description="Dealing with what staff must look at.")
class PlatformAlertMutations:
    @strawberry.mutation(
        description="Says that the platform's staff deals with an alert. Needs platform:write."
    )
    async def acknowledge_alert(
        self, info: Info[OwnerContext, None], input: Which
    ) -> AcknowledgePlatformAlertResult:
        id_ = inside(Kind.ALERT, input.id)
        row = await platform_alerts.acknowledge_alert(info.context, id_, input.reason)
        return AcknowledgePlatformAlertSuccess(alert=PlatformAlert.of(row))

    @strawberry.mutation(
        description="Calls an alert dealt with, for the business too where it is the business's. "
        "Needs platform:write."
    )
    async def resolve_alert(self, info: Info[OwnerContext, None], input: Which) -> ResolvePlatformAlertResult:
        id_ = inside(Kind.ALERT, input.id)
        row = await platform_alerts.resolve_alert(info.context, id_, input.reason)
        return ResolvePlatformAlertSuccess(alert=PlatformAlert.of(row))
