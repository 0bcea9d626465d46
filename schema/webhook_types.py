"""Webhook endpoints and what they were told, as clients see them."""

import json
from datetime import datetime
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.ids import Kind, outside
from resolvers import webhooks
from schema.errors import Error, Refusal
from schema.scalars import api_enum
from tenancy.context import TenantContext
from tenant_db.webhooks.errors import TooManyWebhookEndpoints, WebhookEndpointDisabled
from tenant_db.webhooks.models import WebhookAttempt as AttemptRow
from tenant_db.webhooks.models import WebhookDelivery as DeliveryRow
from tenant_db.webhooks.models import WebhookEndpoint as EndpointRow
from tenant_db.webhooks.rules import DeliveryState, DisabledReason, WebhookEvent

api_enum(
    WebhookEvent,
    "WebhookEvent",
    "Something your systems can be told. The message's `type` is the same in small letters, with a dot.",
    {
        WebhookEvent.PAYMENT_AUTHORIZED: "Money is reserved and waits for capturePayment.",
        WebhookEvent.PAYMENT_SUCCEEDED: "A payment was paid, and your store credited.",
        WebhookEvent.PAYMENT_FAILED: "A payment came to nothing.",
        WebhookEvent.PAYMENT_EXPIRED: "Nobody paid in time.",
        WebhookEvent.PAYMENT_CANCELLED: "The payer or your business gave it up.",
        WebhookEvent.REFUND_SUCCEEDED: "Money went back to a payer.",
        WebhookEvent.REFUND_FAILED: "A refund came to nothing; the money is yours again.",
        WebhookEvent.REFUND_REVERSED: "A refund that had succeeded came back.",
        WebhookEvent.DISPUTE_OPENED: "A payer disputes a payment at the provider.",
        WebhookEvent.DISPUTE_WON: "A dispute ended in your favour.",
        WebhookEvent.DISPUTE_LOST: "A dispute ended in the payer's favour.",
        WebhookEvent.ORDER_PAID: "All that was due for an order has come in.",
        WebhookEvent.WEBHOOK_TEST: "Sent by sendTestWebhook; it can't be chosen.",
    },
)
api_enum(
    DeliveryState,
    "WebhookDeliveryState",
    "Where one message to one endpoint stands.",
    {
        DeliveryState.PENDING: "It waits for its next try.",
        DeliveryState.DELIVERED: "Your system answered with a status of 200 to 299.",
        DeliveryState.FAILED: "It was given up. Call redeliverWebhook to send it again.",
    },
)
api_enum(
    DisabledReason,
    "WebhookDisabledReason",
    "Why an endpoint is told nothing.",
    {
        DisabledReason.BY_HAND: "Somebody disabled it.",
        DisabledReason.FAILING: "Everything sent to it for some three days failed.",
        DisabledReason.GONE: "It answered with the status 410.",
    },
)


@strawberry.type(description="There are as many webhook endpoints as a business may have.")
class TooManyWebhookEndpointsError(Error):
    pass


@strawberry.type(description="The webhook endpoint is disabled, so nothing is sent to it.")
class WebhookEndpointDisabledError(Error):
    pass


REFUSALS = (
    Refusal(TooManyWebhookEndpoints, TooManyWebhookEndpointsError),
    Refusal(WebhookEndpointDisabled, WebhookEndpointDisabledError),
)


@strawberry.type(description="An address of your own systems that is told what happens.")
class WebhookEndpoint:
    id: strawberry.ID = strawberry.field(description="Starts with whe_.")
    url: str = strawberry.field(description="Where messages go, by POST.")
    description: str = strawberry.field(description="Your own note; may be empty.")
    events: list[WebhookEvent] = strawberry.field(description="What it is told.")
    is_enabled: bool = strawberry.field(description="Whether it is told anything.")
    disabled_reason: DisabledReason | None = strawberry.field(description="Why not, if it is not.")
    disabled_at: datetime | None = strawberry.field(description="Since when it is told nothing.")
    failing_since: datetime | None = strawberry.field(
        description="Since when every message has failed; null if the last one arrived."
    )
    last_success_at: datetime | None = strawberry.field(description="When a message arrived last.")
    previous_secret_until: datetime | None = strawberry.field(
        description="Until when messages are also signed with the secret before; null if with one only."
    )
    created_at: datetime = strawberry.field(description="When it was added.")

    @classmethod
    def of(cls, row: EndpointRow) -> "WebhookEndpoint":
        return cls(
            id=strawberry.ID(outside(Kind.WEBHOOK_ENDPOINT, row.id)),
            url=row.url,
            description=row.description,
            events=[WebhookEvent(event) for event in row.events],
            is_enabled=row.is_enabled,
            disabled_reason=None if row.disabled_reason is None else DisabledReason(row.disabled_reason),
            disabled_at=row.disabled_at,
            failing_since=row.failing_since,
            last_success_at=row.last_success_at,
            previous_secret_until=row.previous_until,
            created_at=row.created_at,
        )


@strawberry.type(description="One try to deliver a message.")
class WebhookAttempt:
    at: datetime = strawberry.field(description="When it ended.")
    status: int | None = strawberry.field(description="The HTTP status; null if no answer came.")
    response: str | None = strawberry.field(
        description="The beginning of the answer, without phone numbers and links."
    )
    error: str | None = strawberry.field(description="Why no answer came.")
    duration_ms: int = strawberry.field(description="How long it took.")

    @classmethod
    def of(cls, row: AttemptRow) -> "WebhookAttempt":
        return cls(
            at=row.created_at,
            status=row.status,
            response=row.response,
            error=row.error,
            duration_ms=row.duration_ms,
        )


@strawberry.type(description="One message to one endpoint.")
class WebhookDelivery:
    id: strawberry.ID = strawberry.field(
        description="Starts with whd_; the message's `webhook-id`, the same at every try."
    )
    event: WebhookEvent = strawberry.field(description="What it tells.")
    subject: str = strawberry.field(description="The id of what it is about, such as pay_….")
    state: DeliveryState = strawberry.field(description="Where it stands.")
    tries: int = strawberry.field(description="How often it was tried since it was last asked for.")
    data: str = strawberry.field(description="The message's `data`, as JSON text.")
    next_try_at: datetime | None = strawberry.field(description="When it is tried next.")
    delivered_at: datetime | None = strawberry.field(description="When it arrived.")
    created_at: datetime = strawberry.field(description="When it happened.")
    _id: strawberry.Private[UUID]

    @strawberry.field(description="Its tries, the newest first.")
    async def attempts(self, info: Info[TenantContext, None]) -> list[WebhookAttempt]:
        return [WebhookAttempt.of(row) for row in await webhooks.webhook_attempts(info.context, self._id)]

    @classmethod
    def of(cls, row: DeliveryRow) -> "WebhookDelivery":
        return cls(
            id=strawberry.ID(outside(Kind.WEBHOOK_DELIVERY, row.id)),
            event=WebhookEvent(row.event),
            subject=row.subject,
            state=DeliveryState(row.state),
            tries=row.tries,
            data=json.dumps(row.payload, ensure_ascii=False),
            next_try_at=row.next_try_at,
            delivered_at=row.delivered_at,
            created_at=row.created_at,
            _id=row.id,
        )
