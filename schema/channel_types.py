"""A channel as clients see it, and what may be refused about one."""

from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, outside
from core.money import Money as CoreMoney
from resolvers import loaders
from schema.connections import Node
from schema.errors import Error, Refusal
from schema.scalars import Money, api_enum
from schema.stores import Store, store_loader
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.channels.errors import (
    AccountTaken,
    ChannelHasNoKeys,
    ChannelHasNoOperator,
    ChannelNotSuspended,
    ChannelNotVerified,
    ChannelStillActive,
    MappingFull,
    ShortCodeTaken,
)
from tenant_db.channels.machine import ChannelKind, ChannelStatus, Environment, UrlsState
from tenant_db.channels.models import Channel as ChannelRow

api_enum(
    ChannelStatus,
    "ChannelStatus",
    "Where a channel is in its set-up. Only an active one collects.",
    {
        ChannelStatus.DRAFT: "It has no keys yet. Call replaceChannelCredentials.",
        ChannelStatus.CONFIGURED: "It has keys that are not proven. Call verifyChannel.",
        ChannelStatus.VERIFYING: "We are asking M-Pesa whether the keys are right.",
        ChannelStatus.VERIFIED: "The keys are proven. Call activateChannel.",
        ChannelStatus.REFUSED: "M-Pesa refused the keys; `refusal` says why.",
        ChannelStatus.ACTIVE: "It collects.",
        ChannelStatus.SUSPENDED: "It takes nothing until resumeChannel; payments by hand are turned away.",
        ChannelStatus.INACTIVE: "It is proven, and switched off.",
    },
)
api_enum(
    ChannelKind,
    "ChannelKind",
    "What sort of M-Pesa short code a channel is.",
    {
        ChannelKind.PAYBILL: "A PayBill number.",
        ChannelKind.TILL: "A till (Buy Goods), with a store number of its own.",
        ChannelKind.BUYGOODS: "A Buy Goods number that is its own store number.",
    },
)
api_enum(
    Environment,
    "Environment",
    "Which of a provider's two systems is used.",
    {
        Environment.SANDBOX: "For trying out: no real money moves.",
        Environment.PRODUCTION: "Real money.",
    },
)


class ChannelProof(Enum):
    """How a channel is to be proven; words of the job that does it."""

    KEYS = "keys"
    BALANCE = "balance"
    BEST = "best"


api_enum(
    ChannelProof,
    "ChannelProof",
    "How a channel is to be proven.",
    {
        ChannelProof.KEYS: "By its keys and passkey alone.",
        ChannelProof.BALANCE: "By the short code's balance, which proves the operator, too.",
        ChannelProof.BEST: "By balance where the channel has an operator, else by its keys.",
    },
)
api_enum(
    UrlsState,
    "ChannelUrlsState",
    "Whether payments made by hand are told to us.",
    {
        UrlsState.NONE: "They are not. Call registerChannelUrls.",
        UrlsState.REQUESTED: "We are asking M-Pesa.",
        UrlsState.REGISTERED: "They are.",
        UrlsState.ELSEWHERE: "M-Pesa tells another system, and takes new URLs only after those are removed.",
        UrlsState.REFUSED: "M-Pesa refused; `urlsNote` says why.",
    },
)


@strawberry.type(description="You have a channel for this short code in this environment already.")
class ShortCodeTakenError(Error):
    short_code: str = strawberry.field(description="The short code.")


@strawberry.type(description="The channel's keys are not proven, so it can't collect.")
class ChannelNotVerifiedError(Error):
    status: ChannelStatus = strawberry.field(description="Where the channel is in its set-up.")


@strawberry.type(description="The channel is active; deactivate it first.")
class ChannelStillActiveError(Error):
    pass


@strawberry.type(description="Only an active channel is suspended, only a suspended one resumed.")
class ChannelNotSuspendedError(Error):
    status: ChannelStatus = strawberry.field(description="Where the channel is in its set-up.")


@strawberry.type(description="The channel has no keys yet.")
class ChannelHasNoKeysError(Error):
    pass


@strawberry.type(description="The channel has no operator name and password.")
class ChannelHasNoOperatorError(Error):
    pass


@strawberry.type(description="The channel maps this pattern already.")
class AccountTakenError(Error):
    pattern: str = strawberry.field(description="The pattern, such as VIP*.")


@strawberry.type(description="The channel's mapping is full.")
class MappingFullError(Error):
    most: int = strawberry.field(description="How many entries a mapping may have.")


REFUSALS = (
    Refusal(ChannelNotSuspended, ChannelNotSuspendedError),
    Refusal(ChannelHasNoKeys, ChannelHasNoKeysError),
    Refusal(ChannelHasNoOperator, ChannelHasNoOperatorError),
    Refusal(AccountTaken, AccountTakenError),
    Refusal(MappingFull, MappingFullError),
    Refusal(ShortCodeTaken, ShortCodeTakenError),
    Refusal(ChannelNotVerified, ChannelNotVerifiedError),
    Refusal(ChannelStillActive, ChannelStillActiveError),
)


@strawberry.type(description="One M-Pesa PayBill or till of the business. Its keys can never be read.")
class Channel(Node):
    name: str = strawberry.field(description="What people call it.")
    kind: ChannelKind = strawberry.field(description="PayBill or till.")
    environment: Environment = strawberry.field(description="Whether real money moves.")
    short_code: str = strawberry.field(description="What the payer pays to: the PayBill or till number.")
    head_office_code: str | None = strawberry.field(description="A till's store number; null for a PayBill.")
    currency: Currency = strawberry.field(description="What it collects.")
    status: ChannelStatus = strawberry.field(description="Where it is in its set-up.")
    proof: str | None = strawberry.field(
        description="What verification proved: `keys`, or `balance` for all of it; null if unproven."
    )
    refusal: str | None = strawberry.field(description="Why the last verification failed, for people.")
    verified_at: datetime | None = strawberry.field(description="When it was proven.")
    created_at: datetime = strawberry.field(description="When it was added.")
    initiator_name: str | None = strawberry.field(
        description="The API operator for refunds and balances; null if there is none."
    )
    is_primary: bool = strawberry.field(description="Whether its store is shown it first.")
    activates_itself: bool = strawberry.field(
        description="Whether it collects as soon as it is verified, without activateChannel."
    )
    refuses_unknown_accounts: bool = strawberry.field(
        description="Whether payments by hand to an account that nothing fits are turned away."
    )
    least: Money | None = strawberry.field(description="The least a payment by hand may be; null: any.")
    most: Money | None = strawberry.field(description="The most a payment by hand may be; null: any.")
    suspended_why: str | None = strawberry.field(description="Why it is suspended; null if it is not.")
    balance: Money | None = strawberry.field(
        description="What M-Pesa holds on it, as of `balanceAt`; null until it was asked for."
    )
    balance_at: datetime | None = strawberry.field(description="When M-Pesa told the balance.")
    urls_state: UrlsState = strawberry.field(description="Whether payments made by hand are told to us.")
    urls_note: str | None = strawberry.field(description="Why they are not, for people.")
    urls_at: datetime | None = strawberry.field(description="When M-Pesa was asked last.")
    store_id: strawberry.ID = strawberry.field(
        description="Whose balance grows by what is paid here, unless a payment names another store."
    )
    _store_id: strawberry.Private[UUID]

    @strawberry.field(description="The store of `storeId`; null without the scope stores:read.")
    async def store(self, info: Info[TenantContext, None]) -> Store | None:
        return await shown_store(info.context, self._store_id)

    @classmethod
    def of(cls, row: ChannelRow) -> "Channel":
        return cls(
            id=strawberry.ID(outside(Kind.CHANNEL, row.id)),
            name=row.name,
            kind=ChannelKind(row.kind),
            environment=Environment(row.environment),
            short_code=row.short_code,
            head_office_code=row.head_office_code,
            currency=row.currency,
            status=ChannelStatus(row.status),
            proof=row.proof,
            refusal=row.refusal,
            verified_at=row.verified_at,
            initiator_name=row.initiator_name,
            is_primary=row.is_primary,
            activates_itself=row.activates_itself,
            refuses_unknown_accounts=row.refuses_unknown_accounts,
            least=money_of(row.least_minor, row.currency),
            most=money_of(row.most_minor, row.currency),
            suspended_why=row.suspended_why,
            balance=money_of(row.balance_minor, row.currency),
            balance_at=row.balance_at,
            urls_state=UrlsState(row.urls_state),
            urls_note=row.urls_note,
            urls_at=row.urls_at,
            created_at=row.created_at,
            store_id=strawberry.ID(outside(Kind.STORE, row.store_id)),
            _store_id=row.store_id,
        )


def money_of(minor: int | None, currency: Currency) -> Money | None:
    """An amount that may be missing."""
    return None if minor is None else Money.of(CoreMoney(minor, currency))


async def shown_store(context: TenantContext, id: UUID) -> Store | None:
    """A store that another type names; None where the caller may not read stores."""
    if Scope.STORES_READ not in context.signed_in().scopes:
        return None
    row = await context.loader(store_loader).load(id)
    return None if row is None else Store.of(row)


async def shown_channel(context: TenantContext, id: UUID) -> Channel | None:
    """A channel that another type names; None where the caller may not read channels."""
    if Scope.CHANNELS_READ not in context.signed_in().scopes:
        return None
    row = await context.loader(channel_loader).load(id)
    return None if row is None else Channel.of(row)


def channel_loader(context: TenantContext) -> DataLoader[UUID, ChannelRow | None]:
    """Channels that other types name, in one query for each level of a document."""

    async def load(ids: list[UUID]) -> list[ChannelRow | None]:
        return await loaders.channels_by_id(context, ids)

    return DataLoader(load_fn=load, max_batch_size=loaders.BATCH_MAX)
