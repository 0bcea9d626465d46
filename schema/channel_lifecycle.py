"""What is done with a channel once it is there: changing, suspending, registering, asking its balance."""

from typing import Annotated

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside
from core.phone import Phone
from resolvers import channels
from schema.channel_types import (
    Channel,
    ChannelHasNoKeysError,
    ChannelHasNoOperatorError,
    ChannelNotSuspendedError,
)
from schema.channels import MpesaOperatorInput
from schema.errors import ForbiddenError, InvalidInputError, NotFoundError
from schema.scalars import BigInt
from tenancy.context import TenantContext
from tenant_db.channels.changing import ChannelChange


@strawberry.input(description="What a channel is to be from now on; every field counts.")
class UpdateChannelInput:
    id: strawberry.ID = strawberry.field(description="The channel's id; starts with chan_.")
    store_id: strawberry.ID = strawberry.field(description="Whose balance grows by what is paid here.")
    name: str = strawberry.field(description="What people call it: 1 to 80 characters.")
    activates_itself: bool = strawberry.field(
        default=False, description="Whether it collects as soon as it is verified."
    )
    refuses_unknown_accounts: bool = strawberry.field(
        default=False,
        description="Whether payments by hand to an account that nothing fits are turned away. M-Pesa asks "
        "us only once Safaricom has activated external validation for the short code.",
    )
    least_minor: BigInt | None = strawberry.field(
        default=None, description="The least a payment by hand may be, in minor units; null: any."
    )
    most_minor: BigInt | None = strawberry.field(
        default=None, description="The most a payment by hand may be, in minor units; null: any."
    )

    def to_domain(self) -> ChannelChange:
        """Raises InvalidInput."""
        return ChannelChange(
            name=self.name,
            store_id=inside(Kind.STORE, self.store_id),
            activates_itself=self.activates_itself,
            refuses_unknown_accounts=self.refuses_unknown_accounts,
            least_minor=self.least_minor,
            most_minor=self.most_minor,
        )


@strawberry.input(description="The channel, and its new operator.")
class SetChannelOperatorInput:
    id: strawberry.ID = strawberry.field(description="The channel's id; starts with chan_.")
    operator: MpesaOperatorInput = strawberry.field(description="The operator from now on.")


@strawberry.input(description="The channel to show first.")
class MakeChannelPrimaryInput:
    id: strawberry.ID = strawberry.field(description="The channel's id; starts with chan_.")


@strawberry.input(description="The channel to suspend.")
class SuspendChannelInput:
    id: strawberry.ID = strawberry.field(description="The channel's id; starts with chan_.")
    reason: str = strawberry.field(description="Why, for people: 1 to 200 characters.")


@strawberry.input(description="The channel to resume.")
class ResumeChannelInput:
    id: strawberry.ID = strawberry.field(description="The channel's id; starts with chan_.")


@strawberry.input(description="The channel whose URLs to register.")
class RegisterChannelUrlsInput:
    id: strawberry.ID = strawberry.field(description="The channel's id; starts with chan_.")
    pull_phone: str | None = strawberry.field(
        default=None,
        description="The number nominated for M-Pesa's Pull: missed payments are then looked up each night. "
        "The app needs that product.",
    )


@strawberry.input(description="The channel whose balance to ask for.")
class CheckChannelBalanceInput:
    id: strawberry.ID = strawberry.field(description="The channel's id; starts with chan_.")


@strawberry.type(description="The channel is changed.")
class ChannelChanged:
    channel: Channel = strawberry.field(description="The channel now.")


@strawberry.type(description="We are asking M-Pesa. Subscribe to channelUpdated for the answer.")
class ChannelAsked:
    channel: Channel = strawberry.field(description="The channel now.")


UpdateChannelResult = Annotated[
    ChannelChanged | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("UpdateChannelResult", description="Whether the channel was changed."),
]
SuspendChannelResult = Annotated[
    ChannelChanged | ChannelNotSuspendedError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("SuspendChannelResult", description="Whether the channel is suspended, or resumed."),
]
RegisterChannelUrlsResult = Annotated[
    ChannelAsked | ChannelHasNoKeysError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("RegisterChannelUrlsResult", description="Whether M-Pesa is being asked."),
]
CheckChannelBalanceResult = Annotated[
    ChannelAsked | ChannelHasNoOperatorError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("CheckChannelBalanceResult", description="Whether M-Pesa is being asked."),
]


@strawberry.type(description="What is done with channels.")
class ChannelLifecycleMutations:
    @strawberry.mutation(description="Changes name, store and what is taken by hand. Needs channels:write.")
    async def update_channel(
        self,
        info: Info[TenantContext, None],
        input: Annotated[UpdateChannelInput, strawberry.argument(description="The channel from now on.")],
    ) -> UpdateChannelResult:
        row = await channels.update_channel(info.context, inside(Kind.CHANNEL, input.id), input.to_domain())
        return ChannelChanged(channel=Channel.of(row))

    @strawberry.mutation(
        description="Gives a channel another operator; it goes on collecting. Needs channels:write."
    )
    async def set_channel_operator(
        self,
        info: Info[TenantContext, None],
        input: Annotated[SetChannelOperatorInput, strawberry.argument(description="Channel and operator.")],
    ) -> UpdateChannelResult:
        id_ = inside(Kind.CHANNEL, input.id)
        row = await channels.set_channel_operator(info.context, id_, input.operator.to_domain())
        return ChannelChanged(channel=Channel.of(row))

    @strawberry.mutation(description="Makes a channel its store's primary one. Needs channels:write.")
    async def make_channel_primary(
        self,
        info: Info[TenantContext, None],
        input: Annotated[MakeChannelPrimaryInput, strawberry.argument(description="Which channel.")],
    ) -> UpdateChannelResult:
        row = await channels.make_channel_primary(info.context, inside(Kind.CHANNEL, input.id))
        return ChannelChanged(channel=Channel.of(row))

    @strawberry.mutation(
        description="Takes nothing on an active channel until it is resumed. Needs channels:write."
    )
    async def suspend_channel(
        self,
        info: Info[TenantContext, None],
        input: Annotated[SuspendChannelInput, strawberry.argument(description="Which channel, and why.")],
    ) -> SuspendChannelResult:
        row = await channels.suspend_channel(info.context, inside(Kind.CHANNEL, input.id), input.reason)
        return ChannelChanged(channel=Channel.of(row))

    @strawberry.mutation(description="Lets a suspended channel collect again. Needs channels:write.")
    async def resume_channel(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ResumeChannelInput, strawberry.argument(description="Which channel.")],
    ) -> SuspendChannelResult:
        row = await channels.resume_channel(info.context, inside(Kind.CHANNEL, input.id))
        return ChannelChanged(channel=Channel.of(row))

    @strawberry.mutation(
        description="Has M-Pesa tell us of payments made by hand. In production M-Pesa takes this once. "
        "Needs channels:write."
    )
    async def register_channel_urls(
        self,
        info: Info[TenantContext, None],
        input: Annotated[RegisterChannelUrlsInput, strawberry.argument(description="Which channel.")],
    ) -> RegisterChannelUrlsResult:
        phone = None if input.pull_phone is None else Phone.parse(input.pull_phone)
        row = await channels.register_channel_urls(info.context, inside(Kind.CHANNEL, input.id), phone)
        return ChannelAsked(channel=Channel.of(row))

    @strawberry.mutation(description="Asks M-Pesa for a channel's balance. Needs channels:write.")
    async def check_channel_balance(
        self,
        info: Info[TenantContext, None],
        input: Annotated[CheckChannelBalanceInput, strawberry.argument(description="Which channel.")],
    ) -> CheckChannelBalanceResult:
        row = await channels.check_channel_balance(info.context, inside(Kind.CHANNEL, input.id))
        return ChannelAsked(channel=Channel.of(row))
