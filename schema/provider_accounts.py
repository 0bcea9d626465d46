"""Provider accounts: reading, switching and ranking them."""

from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, inside
from resolvers import provider_accounts
from schema.connections import After, Connection, First, connection, page_request
from schema.errors import ForbiddenError, InvalidInputError, NotFoundError
from schema.provider_account_types import (
    ACCOUNT_ID,
    AccountDisabledError,
    AccountNameTakenError,
    AccountNotProvenError,
    AccountOfChannelError,
    ProviderAccount,
    Which,
)
from tenancy.context import TenantContext
from tenant_db.channels.machine import Environment


@strawberry.input(description="What to change; what you leave out stays.")
class UpdateProviderAccountInput:
    id: strawberry.ID = strawberry.field(description=ACCOUNT_ID)
    name: str | None = strawberry.field(default=None, description="1 to 80 characters.")
    priority: int | None = strawberry.field(default=None, description="1 to 1000; lower is tried first.")
    currencies: list[Currency] | None = strawberry.field(default=None, description="What it shall collect.")


@strawberry.type(description="The account takes payments.")
class EnableProviderAccountSuccess:
    provider_account: ProviderAccount = strawberry.field(description="The account now.")


@strawberry.type(description="The account takes no new payments; open ones are settled.")
class DisableProviderAccountSuccess:
    provider_account: ProviderAccount = strawberry.field(description="The account now.")


@strawberry.type(description="The account is tried before all others.")
class SetDefaultProviderAccountSuccess:
    provider_account: ProviderAccount = strawberry.field(description="The account now.")


@strawberry.type(description="The account is changed.")
class UpdateProviderAccountSuccess:
    provider_account: ProviderAccount = strawberry.field(description="The account now.")


EnableProviderAccountResult = Annotated[
    EnableProviderAccountSuccess | AccountNotProvenError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("EnableProviderAccountResult", description="Whether the account takes payments."),
]
DisableProviderAccountResult = Annotated[
    DisableProviderAccountSuccess | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("DisableProviderAccountResult", description="Whether the account is switched off."),
]
SetDefaultProviderAccountResult = Annotated[
    SetDefaultProviderAccountSuccess
    | AccountDisabledError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("SetDefaultProviderAccountResult", description="Whether it is the default now."),
]
UpdateProviderAccountResult = Annotated[
    UpdateProviderAccountSuccess
    | AccountOfChannelError
    | AccountNameTakenError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("UpdateProviderAccountResult", description="Whether the account was changed."),
]
AccountId = Annotated[strawberry.ID, strawberry.argument(description=ACCOUNT_ID)]


async def provider_account_node(context: TenantContext, id: UUID) -> ProviderAccount | None:
    row = await provider_accounts.provider_account(context, id)
    return None if row is None else ProviderAccount.of(row)


@strawberry.type(description="One value of a public configuration.")
class PublicValue:
    name: str = strawberry.field(description="Such as `publishable_key`.")
    value: str = strawberry.field(description="The value.")


@strawberry.type(description="What a payer's browser may see of a provider account.")
class PublicProviderConfiguration:
    provider: str = strawberry.field(description="The catalog's code, such as `stripe`.")
    environment: Environment = strawberry.field(description="Whether real money moves.")
    values: list[PublicValue] = strawberry.field(description="Publishable keys and the like; never a secret.")


@strawberry.type(description="Accounts of payment providers.")
class ProviderAccountQueries:
    @strawberry.field(description="Your provider accounts, newest first. Needs channels:read.")
    async def provider_accounts(
        self, info: Info[TenantContext, None], first: First = 20, after: After = None
    ) -> Connection[ProviderAccount]:
        scope = info.context.tenant.id
        page = await provider_accounts.provider_accounts(info.context, page_request(first, after, scope))
        return connection(page, ProviderAccount.of, scope, after=after)

    @strawberry.field(description="One account; null if there is no such account. Needs channels:read.")
    async def provider_account(
        self, info: Info[TenantContext, None], id: AccountId
    ) -> ProviderAccount | None:
        return await provider_account_node(info.context, inside(Kind.PROVIDER_ACCOUNT, id))

    @strawberry.field(
        description="What your checkout page needs, such as a publishable key. Needs payments:read."
    )
    async def public_provider_configuration(
        self, info: Info[TenantContext, None], id: AccountId
    ) -> PublicProviderConfiguration:
        found = await provider_accounts.public_configuration(info.context, inside(Kind.PROVIDER_ACCOUNT, id))
        values = [PublicValue(name=name, value=value) for name, value in found.values]
        environment = Environment(found.environment)
        return PublicProviderConfiguration(provider=found.provider, environment=environment, values=values)


@strawberry.type(description="Switching provider accounts.")
class ProviderAccountMutations:
    @strawberry.mutation(description="Lets a proven account take payments. Needs channels:write.")
    async def enable_provider_account(
        self, info: Info[TenantContext, None], input: Which
    ) -> EnableProviderAccountResult:
        row = await provider_accounts.enable_provider_account(info.context, input.to_domain())
        return EnableProviderAccountSuccess(provider_account=ProviderAccount.of(row))

    @strawberry.mutation(
        description="Takes no new payments on an account; what was sent is settled. Needs channels:write."
    )
    async def disable_provider_account(
        self, info: Info[TenantContext, None], input: Which
    ) -> DisableProviderAccountResult:
        row = await provider_accounts.disable_provider_account(info.context, input.to_domain())
        return DisableProviderAccountSuccess(provider_account=ProviderAccount.of(row))

    @strawberry.mutation(description="Has an account tried before all others. Needs channels:write.")
    async def set_default_provider_account(
        self, info: Info[TenantContext, None], input: Which
    ) -> SetDefaultProviderAccountResult:
        row = await provider_accounts.set_default_provider_account(info.context, input.to_domain())
        return SetDefaultProviderAccountSuccess(provider_account=ProviderAccount.of(row))

    @strawberry.mutation(
        description="Changes name, priority or currencies of an account. Needs channels:write."
    )
    async def update_provider_account(
        self,
        info: Info[TenantContext, None],
        input: Annotated[UpdateProviderAccountInput, strawberry.argument(description="What to change.")],
    ) -> UpdateProviderAccountResult:
        row = await provider_accounts.update_provider_account(
            info.context,
            inside(Kind.PROVIDER_ACCOUNT, input.id),
            name=input.name,
            priority=input.priority,
            currencies=input.currencies,
        )
        return UpdateProviderAccountSuccess(provider_account=ProviderAccount.of(row))
