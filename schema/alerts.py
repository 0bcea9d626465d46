"""Alerts: reading, taking on, resolving and watching them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.alerts import AlertKind, AlertState, Severity
from core.ids import Kind, inside, outside
from resolvers import alerts
from resolvers.alerts import AlertFilter
from schema.alert_types import AlertResolvedError
from schema.connections import After, Connection, First, Node, connection, page_request
from schema.errors import ForbiddenError, InvalidInputError, NotFoundError
from tenancy.context import TenantContext
from tenant_db.alerts.models import Alert as AlertRow


@strawberry.type(description="One trouble that people must look at.")
class Alert(Node):
    kind: AlertKind = strawberry.field(description="What sort of trouble it is.")
    severity: Severity = strawberry.field(description="How soon somebody should look.")
    subject: str = strawberry.field(
        description="What it is about: an id such as rfd_…, or a ledger account's code."
    )
    message: str = strawberry.field(description="What happened, in English; of the last time.")
    state: AlertState = strawberry.field(description="Whether somebody deals with it.")
    count: int = strawberry.field(description="How often it was seen.")
    created_at: datetime = strawberry.field(description="When it was first seen.")
    last_at: datetime = strawberry.field(description="When it was last seen.")
    acknowledged_at: datetime | None = strawberry.field(description="When somebody took it on.")
    resolved_at: datetime | None = strawberry.field(description="When it was dealt with.")
    note: str | None = strawberry.field(description="What was done about it.")
    version: int = strawberry.field(description="Grows with every change: the highest is the newest.")

    @classmethod
    def of(cls, row: AlertRow) -> "Alert":
        return cls(
            id=strawberry.ID(outside(Kind.ALERT, row.id)),
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
            version=row.version,
        )


@strawberry.input(description="The alert to take on.")
class AcknowledgeAlertInput:
    id: strawberry.ID = strawberry.field(description="The alert; starts with alert_.")


@strawberry.input(description="The alert that is dealt with.")
class ResolveAlertInput:
    id: strawberry.ID = strawberry.field(description="The alert; starts with alert_.")
    reason: str = strawberry.field(description="What was done: 1 to 500 characters.")


@strawberry.type(description="Somebody deals with it.")
class AcknowledgeAlertSuccess:
    alert: Alert = strawberry.field(description="The alert now.")


@strawberry.type(description="It is dealt with.")
class ResolveAlertSuccess:
    alert: Alert = strawberry.field(description="The alert now.")


AcknowledgeAlertResult = Annotated[
    AcknowledgeAlertSuccess | AlertResolvedError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("AcknowledgeAlertResult", description="Whether it is taken on."),
]
ResolveAlertResult = Annotated[
    ResolveAlertSuccess | AlertResolvedError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("ResolveAlertResult", description="Whether it is resolved."),
]

AlertId = Annotated[strawberry.ID, strawberry.argument(description="Starts with alert_.")]
OnlyState = Annotated[AlertState | None, strawberry.argument(description="Only alerts in this state.")]
OnlyKind = Annotated[AlertKind | None, strawberry.argument(description="Only alerts of this kind.")]
OnlySeverity = Annotated[Severity | None, strawberry.argument(description="Only alerts as grave as this.")]


async def alert_node(context: TenantContext, id: UUID) -> Alert | None:
    row = await alerts.alert(context, id)
    return None if row is None else Alert.of(row)


@strawberry.type(description="What you must look at.")
class AlertQueries:
    @strawberry.field(description="Your alerts, newest first. Needs payments:read.")
    async def alerts(  # noqa: PLR0917 - GraphQL arguments are named by the client
        self,
        info: Info[TenantContext, None],
        first: First = 20,
        after: After = None,
        state: OnlyState = None,
        kind: OnlyKind = None,
        severity: OnlySeverity = None,
    ) -> Connection[Alert]:
        scope = info.context.tenant.id
        only = AlertFilter(state, kind, severity)
        page = await alerts.alerts(info.context, page_request(first, after, scope), only)
        return connection(page, Alert.of, scope, after=after)

    @strawberry.field(description="One alert; null if there is no such alert. Needs payments:read.")
    async def alert(self, info: Info[TenantContext, None], id: AlertId) -> Alert | None:
        return await alert_node(info.context, inside(Kind.ALERT, id))


@strawberry.type(description="Dealing with what you must look at.")
class AlertMutations:
    @strawberry.mutation(description="Says that you deal with an alert. Needs payments:write.")
    async def acknowledge_alert(
        self,
        info: Info[TenantContext, None],
        input: Annotated[AcknowledgeAlertInput, strawberry.argument(description="Which alert.")],
    ) -> AcknowledgeAlertResult:
        row = await alerts.acknowledge_alert(info.context, inside(Kind.ALERT, input.id))
        return AcknowledgeAlertSuccess(alert=Alert.of(row))

    @strawberry.mutation(
        description="Calls an alert dealt with. The same trouble later is a new alert. Needs ledger:write."
    )
    async def resolve_alert(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ResolveAlertInput, strawberry.argument(description="Which, and what was done.")],
    ) -> ResolveAlertResult:
        row = await alerts.resolve_alert(info.context, inside(Kind.ALERT, input.id), input.reason)
        return ResolveAlertSuccess(alert=Alert.of(row))


@strawberry.type(description="Alerts as they come.")
class AlertSubscriptions:
    @strawberry.subscription(
        description="The newest open alerts, then each that is raised, repeated or dealt with. Keep the "
        "highest version of each. What changed while our own feed was away is made up for, up to 1,000 of "
        "them; beyond that the stream ends with the error FEED_INTERRUPTED. Needs payments:read."
    )
    async def alert_raised(self, info: Info[TenantContext, None]) -> AsyncGenerator[Alert, None]:
        updates = alerts.alert_updates(info.context)
        async with aclosing(updates):
            async for row in updates:
                yield Alert.of(row)
