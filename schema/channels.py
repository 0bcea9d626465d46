"""M-Pesa short codes of a business: adding, proving and switching them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside
from resolvers import channels, channels_feed
from schema.channel_types import (
    Channel,
    ChannelHasNoKeysError,
    ChannelNotVerifiedError,
    ChannelProof,
    ChannelStillActiveError,
    ShortCodeTakenError,
)
from schema.connections import After, Connection, First, connection, page_request
from schema.errors import ForbiddenError, InvalidInputError, NotFoundError
from tenancy.context import TenantContext
from tenant_db.channels.adding import NewChannel
from tenant_db.channels.machine import ChannelKind, Environment
from tenant_db.channels.rules import MpesaKeys, OperatorKeys


@strawberry.input(description="The keys of one short code, from the Daraja portal. Stored sealed.")
class MpesaKeysInput:
    consumer_key: str = strawberry.field(description="Consumer key of the Daraja app.")
    consumer_secret: str = strawberry.field(description="Consumer secret of the Daraja app.")
    passkey: str = strawberry.field(description="Passkey of the short code, for M-Pesa Express.")

    def to_domain(self) -> MpesaKeys:
        """Raises InvalidInput."""
        return MpesaKeys(self.consumer_key, self.consumer_secret, self.passkey)


@strawberry.input(
    description="The API operator of one short code, from the M-Pesa organisation portal. Stored sealed."
)
class MpesaOperatorInput:
    name: str = strawberry.field(description="Operator name, with the roles for the APIs that are used.")
    password: str = strawberry.field(
        description="Its password; of special signs M-Pesa takes # & % $ safely, and refuses ( and )."
    )

    def to_domain(self) -> OperatorKeys:
        """Raises InvalidInput."""
        return OperatorKeys(self.name, self.password)


@strawberry.input(description="The short code to add.")
class AddChannelInput:
    store_id: strawberry.ID = strawberry.field(description="Whose balance grows by what is paid here.")
    name: str = strawberry.field(description="What people call it: 1 to 80 characters.")
    kind: ChannelKind = strawberry.field(description="PayBill or till.")
    environment: Environment = strawberry.field(description="Which Daraja system the keys are for.")
    short_code: str = strawberry.field(description="What the payer pays to: the PayBill or till number.")
    head_office_code: str | None = strawberry.field(
        default=None, description="For a till, the store number given at go-live; leave out for a PayBill."
    )
    keys: MpesaKeysInput | None = strawberry.field(
        default=None, description="The keys, which can never be read again. Without them it is a draft."
    )
    operator: MpesaOperatorInput | None = strawberry.field(
        default=None, description="For refunds, balances and the full proof."
    )
    activates_itself: bool = strawberry.field(
        default=False, description="Whether it collects as soon as it is verified."
    )

    def to_domain(self) -> NewChannel:
        """Raises InvalidInput."""
        return NewChannel(
            store_id=inside(Kind.STORE, self.store_id),
            name=self.name,
            kind=self.kind,
            environment=self.environment,
            short_code=self.short_code,
            head_office_code=self.head_office_code,
            keys=None if self.keys is None else self.keys.to_domain(),
            operator=None if self.operator is None else self.operator.to_domain(),
            activates_itself=self.activates_itself,
        )


@strawberry.input(description="The channel whose keys to replace.")
class ReplaceChannelCredentialsInput:
    id: strawberry.ID = strawberry.field(description="The channel's id; starts with chan_.")
    keys: MpesaKeysInput = strawberry.field(description="The new keys.")
    operator: MpesaOperatorInput | None = strawberry.field(
        default=None, description="The new operator; left out, it stays as it is."
    )


@strawberry.input(description="The channel to prove.")
class VerifyChannelInput:
    id: strawberry.ID = strawberry.field(description="The channel's id; starts with chan_.")
    proof: ChannelProof = strawberry.field(default=ChannelProof.BEST, description="How it is to be proven.")


@strawberry.input(description="The channel to switch on.")
class ActivateChannelInput:
    id: strawberry.ID = strawberry.field(description="The channel's id; starts with chan_.")


@strawberry.input(description="The channel to switch off.")
class DeactivateChannelInput:
    id: strawberry.ID = strawberry.field(description="The channel's id; starts with chan_.")


@strawberry.type(description="The channel is added. With keys it can be verified; without, it is a draft.")
class AddChannelSuccess:
    channel: Channel = strawberry.field(description="The new channel.")


@strawberry.type(description="The keys are replaced; the channel does not collect until they are proven.")
class ReplaceChannelCredentialsSuccess:
    channel: Channel = strawberry.field(description="The channel now.")


@strawberry.type(description="We are asking M-Pesa. Subscribe to channelUpdated for the answer.")
class VerifyChannelSuccess:
    channel: Channel = strawberry.field(description="The channel now.")


@strawberry.type(description="The channel collects.")
class ActivateChannelSuccess:
    channel: Channel = strawberry.field(description="The channel now.")


@strawberry.type(description="The channel takes no new payments.")
class DeactivateChannelSuccess:
    channel: Channel = strawberry.field(description="The channel now.")


AddChannelResult = Annotated[
    AddChannelSuccess | ShortCodeTakenError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("AddChannelResult", description="Whether the channel was added."),
]
ReplaceChannelCredentialsResult = Annotated[
    ReplaceChannelCredentialsSuccess | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("ReplaceChannelCredentialsResult", description="Whether the keys were replaced."),
]
VerifyChannelResult = Annotated[
    VerifyChannelSuccess
    | ChannelHasNoKeysError
    | ChannelStillActiveError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("VerifyChannelResult", description="Whether verification was started."),
]
ActivateChannelResult = Annotated[
    ActivateChannelSuccess | ChannelNotVerifiedError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("ActivateChannelResult", description="Whether the channel collects now."),
]
DeactivateChannelResult = Annotated[
    DeactivateChannelSuccess | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("DeactivateChannelResult", description="Whether the channel is switched off."),
]

ChannelId = Annotated[strawberry.ID, strawberry.argument(description="Starts with chan_.")]


async def channel_node(context: TenantContext, id: UUID) -> Channel | None:
    row = await channels.channel(context, id)
    return None if row is None else Channel.of(row)


@strawberry.type(description="M-Pesa short codes.")
class ChannelQueries:
    @strawberry.field(description="The channels of your business, newest first. Needs channels:read.")
    async def channels(
        self, info: Info[TenantContext, None], first: First = 20, after: After = None
    ) -> Connection[Channel]:
        scope = info.context.tenant.id
        page = await channels.channels(info.context, page_request(first, after, scope))
        return connection(page, Channel.of, scope, after=after)

    @strawberry.field(description="One channel; null if there is no such channel. Needs channels:read.")
    async def channel(self, info: Info[TenantContext, None], id: ChannelId) -> Channel | None:
        return await channel_node(info.context, inside(Kind.CHANNEL, id))


@strawberry.type(description="Setting channels up.")
class ChannelMutations:
    @strawberry.mutation(description="Adds a short code, with its keys or without. Needs channels:write.")
    async def add_channel(
        self,
        info: Info[TenantContext, None],
        input: Annotated[AddChannelInput, strawberry.argument(description="The short code.")],
    ) -> AddChannelResult:
        row = await channels.add_channel(info.context, input.to_domain())
        return AddChannelSuccess(channel=Channel.of(row))

    @strawberry.mutation(description="Replaces a channel's keys; prove them again. Needs channels:write.")
    async def replace_channel_credentials(
        self,
        info: Info[TenantContext, None],
        input: Annotated[
            ReplaceChannelCredentialsInput, strawberry.argument(description="Which channel, and the keys.")
        ],
    ) -> ReplaceChannelCredentialsResult:
        row = await channels.replace_channel_credentials(
            info.context,
            inside(Kind.CHANNEL, input.id),
            input.keys.to_domain(),
            None if input.operator is None else input.operator.to_domain(),
        )
        return ReplaceChannelCredentialsSuccess(channel=Channel.of(row))

    @strawberry.mutation(description="Asks M-Pesa whether keys and operator are right. Needs channels:write.")
    async def verify_channel(
        self,
        info: Info[TenantContext, None],
        input: Annotated[VerifyChannelInput, strawberry.argument(description="Which channel.")],
    ) -> VerifyChannelResult:
        id_ = inside(Kind.CHANNEL, input.id)
        row = await channels.verify_channel(info.context, id_, input.proof.value)
        return VerifyChannelSuccess(channel=Channel.of(row))

    @strawberry.mutation(description="Lets a proven channel collect. Needs channels:write.")
    async def activate_channel(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ActivateChannelInput, strawberry.argument(description="Which channel.")],
    ) -> ActivateChannelResult:
        row = await channels.activate_channel(info.context, inside(Kind.CHANNEL, input.id))
        return ActivateChannelSuccess(channel=Channel.of(row))

    @strawberry.mutation(
        description="Takes no new payments on a channel; what was sent is settled. Needs channels:write."
    )
    async def deactivate_channel(
        self,
        info: Info[TenantContext, None],
        input: Annotated[DeactivateChannelInput, strawberry.argument(description="Which channel.")],
    ) -> DeactivateChannelResult:
        row = await channels.deactivate_channel(info.context, inside(Kind.CHANNEL, input.id))
        return DeactivateChannelSuccess(channel=Channel.of(row))


@strawberry.type(description="Channels as they change.")
class ChannelSubscriptions:
    @strawberry.subscription(
        description="A channel's state now, and again after each change. Needs channels:read."
    )
    async def channel_updated(
        self, info: Info[TenantContext, None], id: ChannelId
    ) -> AsyncGenerator[Channel, None]:
        rows = channels_feed.channel_updates(info.context, inside(Kind.CHANNEL, id))
        async with aclosing(rows):
            async for row in rows:
                yield Channel.of(row)
