"""Webhooks to a business's own systems: endpoints, secrets, messages and their tries."""

from typing import Annotated

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside
from resolvers import webhooks
from schema.connections import After, Connection, First, connection, page_request
from schema.errors import ForbiddenError, InvalidInputError, NotFoundError
from schema.webhook_types import (
    TooManyWebhookEndpointsError,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEndpointDisabledError,
)
from tenancy.context import TenantContext
from tenant_db.webhooks.endpoints import EndpointInput
from tenant_db.webhooks.rules import DeliveryState, WebhookEvent


def _endpoint_input(
    context: TenantContext, url: str, events: list[WebhookEvent], description: str
) -> EndpointInput:
    """Raises InvalidInput."""
    return EndpointInput(
        url, [event.value for event in events], description, may_be_plain=webhooks.plain_is_allowed(context)
    )


@strawberry.input(description="The endpoint to add.")
class CreateWebhookEndpointInput:
    url: str = strawberry.field(description="An https address on the public internet.")
    events: list[WebhookEvent] = strawberry.field(description="What to tell it; at least one event.")
    description: str = strawberry.field(default="", description="Your own note, up to 100 characters.")


@strawberry.input(description="The endpoint as it shall be.")
class UpdateWebhookEndpointInput:
    id: strawberry.ID = strawberry.field(description="Starts with whe_.")
    url: str = strawberry.field(description="An https address on the public internet.")
    events: list[WebhookEvent] = strawberry.field(description="What to tell it; at least one event.")
    description: str = strawberry.field(default="", description="Your own note, up to 100 characters.")


@strawberry.input(description="The endpoint that is meant.")
class WebhookEndpointInput:
    id: strawberry.ID = strawberry.field(description="Starts with whe_.")


@strawberry.input(description="The message to send again.")
class RedeliverWebhookInput:
    id: strawberry.ID = strawberry.field(description="Starts with whd_.")


@strawberry.type(description="The endpoint, and the secret its messages are signed with.")
class WebhookSecretSuccess:
    endpoint: WebhookEndpoint = strawberry.field(description="The endpoint now.")
    secret: str = strawberry.field(
        description="Shown this once. Verify `webhook-signature` with it, by any Standard Webhooks library."
    )


@strawberry.type(description="The endpoint is changed.")
class WebhookEndpointSuccess:
    endpoint: WebhookEndpoint = strawberry.field(description="The endpoint now.")


@strawberry.type(description="The message is on its way.")
class WebhookDeliverySuccess:
    delivery: WebhookDelivery = strawberry.field(description="The message now.")


CreateWebhookEndpointResult = Annotated[
    WebhookSecretSuccess | TooManyWebhookEndpointsError | InvalidInputError | ForbiddenError,
    strawberry.union("CreateWebhookEndpointResult", description="Whether the endpoint was added."),
]
RotateWebhookSecretResult = Annotated[
    WebhookSecretSuccess | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("RotateWebhookSecretResult", description="Whether the secret was replaced."),
]
WebhookEndpointResult = Annotated[
    WebhookEndpointSuccess | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("WebhookEndpointResult", description="Whether the endpoint was changed."),
]
WebhookDeliveryResult = Annotated[
    WebhookDeliverySuccess
    | WebhookEndpointDisabledError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("WebhookDeliveryResult", description="Whether the message is on its way."),
]

EndpointArgument = Annotated[
    WebhookEndpointInput, strawberry.argument(description="The endpoint that is meant.")
]


@strawberry.type(description="Webhooks.")
class WebhookQueries:
    @strawberry.field(description="Your webhook endpoints, the newest first. Needs webhooks:read.")
    async def webhook_endpoints(self, info: Info[TenantContext, None]) -> list[WebhookEndpoint]:
        return [WebhookEndpoint.of(row) for row in await webhooks.webhook_endpoints(info.context)]

    @strawberry.field(
        description="What an endpoint was told, the newest first. Delivered messages are kept for 30 days. "
        "Needs webhooks:read."
    )
    async def webhook_deliveries(
        self,
        info: Info[TenantContext, None],
        endpoint_id: Annotated[strawberry.ID, strawberry.argument(description="Starts with whe_.")],
        first: First = 20,
        after: After = None,
        state: Annotated[
            DeliveryState | None, strawberry.argument(description="Only messages that stand there.")
        ] = None,
    ) -> Connection[WebhookDelivery]:
        context, scope = info.context, info.context.tenant.id
        page = await webhooks.webhook_deliveries(
            context, inside(Kind.WEBHOOK_ENDPOINT, endpoint_id), state, page_request(first, after, scope)
        )
        return connection(page, WebhookDelivery.of, scope, after=after)


@strawberry.type(description="Setting webhooks up.")
class WebhookMutations:
    @strawberry.mutation(
        description="Adds a webhook endpoint; its secret is shown this once. Needs webhooks:write."
    )
    async def create_webhook_endpoint(
        self,
        info: Info[TenantContext, None],
        input: Annotated[CreateWebhookEndpointInput, strawberry.argument(description="The endpoint to add.")],
    ) -> CreateWebhookEndpointResult:
        new = _endpoint_input(info.context, input.url, input.events, input.description)
        row, secret = await webhooks.create_webhook_endpoint(info.context, new)
        return WebhookSecretSuccess(endpoint=WebhookEndpoint.of(row), secret=secret)

    @strawberry.mutation(
        description="Changes address, events and note; what waits goes to the new address."
        " Needs webhooks:write."
    )
    async def update_webhook_endpoint(
        self,
        info: Info[TenantContext, None],
        input: Annotated[
            UpdateWebhookEndpointInput, strawberry.argument(description="The endpoint as it shall be.")
        ],
    ) -> WebhookEndpointResult:
        new = _endpoint_input(info.context, input.url, input.events, input.description)
        id_ = inside(Kind.WEBHOOK_ENDPOINT, input.id)
        row = await webhooks.update_webhook_endpoint(info.context, id_, new)
        return WebhookEndpointSuccess(endpoint=WebhookEndpoint.of(row))

    @strawberry.mutation(
        description="Replaces the secret, shown this once; for 24 hours messages are signed with both."
        " Needs webhooks:write."
    )
    async def rotate_webhook_secret(
        self, info: Info[TenantContext, None], input: EndpointArgument
    ) -> RotateWebhookSecretResult:
        id_ = inside(Kind.WEBHOOK_ENDPOINT, input.id)
        row, secret = await webhooks.rotate_webhook_secret(info.context, id_)
        return WebhookSecretSuccess(endpoint=WebhookEndpoint.of(row), secret=secret)

    @strawberry.mutation(
        description="Tells an endpoint again of what happens from now on. Needs webhooks:write."
    )
    async def enable_webhook_endpoint(
        self, info: Info[TenantContext, None], input: EndpointArgument
    ) -> WebhookEndpointResult:
        id_ = inside(Kind.WEBHOOK_ENDPOINT, input.id)
        row = await webhooks.enable_webhook_endpoint(info.context, id_)
        return WebhookEndpointSuccess(endpoint=WebhookEndpoint.of(row))

    @strawberry.mutation(
        description="Tells an endpoint nothing more; what waits is given up. Needs webhooks:write."
    )
    async def disable_webhook_endpoint(
        self, info: Info[TenantContext, None], input: EndpointArgument
    ) -> WebhookEndpointResult:
        id_ = inside(Kind.WEBHOOK_ENDPOINT, input.id)
        row = await webhooks.disable_webhook_endpoint(info.context, id_)
        return WebhookEndpointSuccess(endpoint=WebhookEndpoint.of(row))

    @strawberry.mutation(description="Deletes a webhook endpoint for good. Needs webhooks:write.")
    async def delete_webhook_endpoint(
        self, info: Info[TenantContext, None], input: EndpointArgument
    ) -> WebhookEndpointResult:
        id_ = inside(Kind.WEBHOOK_ENDPOINT, input.id)
        row = await webhooks.delete_webhook_endpoint(info.context, id_)
        return WebhookEndpointSuccess(endpoint=WebhookEndpoint.of(row))

    @strawberry.mutation(description="Sends a message of the type webhook.test. Needs webhooks:write.")
    async def send_test_webhook(
        self, info: Info[TenantContext, None], input: EndpointArgument
    ) -> WebhookDeliveryResult:
        id_ = inside(Kind.WEBHOOK_ENDPOINT, input.id)
        return WebhookDeliverySuccess(
            delivery=WebhookDelivery.of(await webhooks.send_test_webhook(info.context, id_))
        )

    @strawberry.mutation(
        description="Sends a message again, under the same id and with all its tries. Needs webhooks:write."
    )
    async def redeliver_webhook(
        self,
        info: Info[TenantContext, None],
        input: Annotated[
            RedeliverWebhookInput, strawberry.argument(description="The message to send again.")
        ],
    ) -> WebhookDeliveryResult:
        id_ = inside(Kind.WEBHOOK_DELIVERY, input.id)
        return WebhookDeliverySuccess(
            delivery=WebhookDelivery.of(await webhooks.redeliver_webhook(info.context, id_))
        )
