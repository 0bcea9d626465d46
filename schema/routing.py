"""Which provider account would collect a payment, and why."""

from typing import Annotated

import strawberry
from strawberry.types import Info

from core.collecting import Method
from core.currency import Currency
from core.ids import Kind, inside, outside
from resolvers import routing
from schema.provider_account_types import ProviderAccount
from schema.provider_accounts import provider_account_node
from schema.scalars import MoneyInput, api_enum
from tenancy.context import TenantContext
from tenant_db.channels.machine import Environment
from tenant_db.routing import rules
from tenant_db.routing.rules import RoutingReason, Wanted

SHOWN_MAX = 100

api_enum(
    RoutingReason,
    "RoutingReason",
    "Why an account was chosen, or was not.",
    {
        RoutingReason.CHOSEN: "It is tried first.",
        RoutingReason.RANKED_LOWER: "It could collect, and others come before it.",
        RoutingReason.ALREADY_TRIED: "It was tried for this payment and could not be reached.",
        RoutingReason.ACCOUNT_DISABLED: "The account is switched off.",
        RoutingReason.CHANNEL_NOT_ACTIVE: "Its M-Pesa channel is not active.",
        RoutingReason.CHANNEL_MISSING: "The provider collects on channels, and the account has none.",
        RoutingReason.PROVIDER_INACTIVE: "The provider takes no new payments.",
        RoutingReason.SANDBOX_BESIDE_PRODUCTION: "It is a sandbox account, and you have production ones.",
        RoutingReason.CURRENCY_NOT_SUPPORTED: "The account, or its provider, does not take the currency.",
        RoutingReason.METHOD_NOT_SUPPORTED: "The provider does not take the way to pay.",
        RoutingReason.FEATURE_MISSING: "The provider can't do all that the payment needs.",
        RoutingReason.AMOUNT_TOO_SMALL: "The amount is below the provider's least.",
        RoutingReason.AMOUNT_TOO_LARGE: "The amount is above the provider's most.",
        RoutingReason.AMOUNT_NOT_WHOLE: "The provider takes whole units only.",
        RoutingReason.CIRCUIT_OPEN: "It did not answer several times in a row.",
    },
)


@strawberry.type(description="One account that was considered.")
class ConsideredAccount:
    provider_account_id: strawberry.ID = strawberry.field(description="The account; starts with pacc_.")
    channel_id: strawberry.ID | None = strawberry.field(description="Its M-Pesa channel, if it has one.")
    provider: str = strawberry.field(description="The catalog's code, such as `mpesa`.")
    name: str = strawberry.field(description="What your people call the account.")
    environment: Environment = strawberry.field(description="Whether real money moves.")
    is_default: bool = strawberry.field(description="Whether it is tried before all others.")
    priority: int = strawberry.field(description="Lower is tried first.")
    place: int | None = strawberry.field(
        description="1 is tried first, 2 next; null if it can't collect this payment."
    )
    reason: RoutingReason = strawberry.field(description="Why, for programs.")
    why: str = strawberry.field(description="Why, for people, in English.")

    @classmethod
    def of(cls, one: rules.Considered) -> "ConsideredAccount":
        candidate, channel = one.candidate, one.candidate.channel
        return cls(
            provider_account_id=strawberry.ID(outside(Kind.PROVIDER_ACCOUNT, candidate.account_id)),
            channel_id=None if channel is None else strawberry.ID(outside(Kind.CHANNEL, channel.id)),
            provider=candidate.provider,
            name=candidate.name,
            environment=Environment.PRODUCTION if candidate.is_production else Environment.SANDBOX,
            is_default=candidate.is_default,
            priority=candidate.priority,
            place=one.place,
            reason=one.reason,
            why=one.why,
        )


@strawberry.type(description="Who would collect a payment, beside everybody who was considered.")
class RoutingExplanation:
    chosen: ConsideredAccount | None = strawberry.field(description="Who is tried first; null if nobody can.")
    considered: list[ConsideredAccount] = strawberry.field(
        description="Everybody, in the order they are tried, then those who can't; at most 100."
    )

    @classmethod
    def of(cls, choice: rules.Choice) -> "RoutingExplanation":
        considered = [ConsideredAccount.of(one) for one in choice.considered[:SHOWN_MAX]]
        return cls(chosen=None if choice.chosen is None else considered[0], considered=considered)


MethodArgument = Annotated[
    Method | None, strawberry.argument(description="How the payer pays; leave it out for any way.")
]


@strawberry.type(description="Routing.")
class RoutingQueries:
    @strawberry.field(
        description="Who would collect a payment like this now, and why not the others. Needs channels:read."
    )
    async def explain_routing(
        self,
        info: Info[TenantContext, None],
        amount: Annotated[MoneyInput, strawberry.argument(description="How much.")],
        method: MethodArgument = None,
        store_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Whose balance grows: its own channels come first."),
        ] = None,
    ) -> RoutingExplanation:
        store = None if store_id is None else inside(Kind.STORE, store_id)
        choice = await routing.explain_routing(info.context, Wanted(amount.to_domain(), method, store))
        return RoutingExplanation.of(choice)

    @strawberry.field(
        description="The account tried first for a currency, whatever the amount. Needs channels:read."
    )
    async def provider_for_currency(
        self,
        info: Info[TenantContext, None],
        currency: Annotated[Currency, strawberry.argument(description="The currency.")],
        method: MethodArgument = None,
    ) -> ProviderAccount | None:
        chosen = await routing.provider_for_currency(info.context, currency, method)
        return None if chosen is None else await provider_account_node(info.context, chosen.account_id)
