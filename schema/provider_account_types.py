"""A provider account as clients see it, and what may be refused about one."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader
from strawberry.scalars import JSON
from strawberry.types import Info

from core.config_schemas import Violation as CoreViolation
from core.currency import Currency
from core.ids import Kind, inside, outside
from resolvers import provider_accounts
from resolvers.provider_accounts import AccountView
from schema.connections import Node
from schema.errors import Error, Refusal
from schema.scalars import api_enum
from tenancy.circuits import CircuitState
from tenancy.context import TenantContext
from tenant_db.channels.machine import Environment
from tenant_db.credentials.errors import (
    AccountDisabled,
    AccountNameTaken,
    AccountNotProven,
    AccountOfChannel,
    ConfigurationInvalid,
    ImportNotReversible,
    TooManyProviderAccounts,
)
from tenant_db.credentials.models import ProviderAccount as AccountRow

BATCH_MAX = 200
ACCOUNT_ID = "The account; starts with pacc_."

api_enum(
    CircuitState,
    "CircuitState",
    "Whether a provider account answers.",
    {
        CircuitState.CLOSED: "It answers, as far as we know.",
        CircuitState.OPEN: "It did not answer several times in a row; nothing new is sent for half a minute.",
        CircuitState.HALF_OPEN: "The half minute is over: one attempt goes, and its answer decides.",
    },
)


@strawberry.type(description="One value that does not fit.")
class ConfigurationViolation:
    field: str = strawberry.field(description="The name in the configuration, such as `secret_key`.")
    message: str = strawberry.field(description="What is wrong with it; never the value itself.")

    @classmethod
    def of(cls, violation: CoreViolation) -> "ConfigurationViolation":
        return cls(field=violation.field, message=violation.message)


@strawberry.type(description="Some values don't fit the provider's configuration schema. Nothing was stored.")
class ConfigurationInvalidError(Error):
    violations: list[ConfigurationViolation] = strawberry.field(description="Each value that does not fit.")


@strawberry.type(description="You have an account of this provider with this name in this environment.")
class AccountNameTakenError(Error):
    name: str = strawberry.field(description="The name.")


@strawberry.type(description="Your business has as many provider accounts as it may.")
class TooManyProviderAccountsError(Error):
    at_most: int = strawberry.field(description="How many it may have.")


@strawberry.type(description="No test of the account's present keys has succeeded: call testProviderAccount.")
class AccountNotProvenError(Error):
    pass


@strawberry.type(description="The account is switched off: call enableProviderAccount first.")
class AccountDisabledError(Error):
    pass


@strawberry.type(description="The account belongs to an M-Pesa channel: manage it with the channel.")
class AccountOfChannelError(Error):
    pass


@strawberry.type(description="The import was rolled back already.")
class ImportNotReversibleError(Error):
    pass


REFUSALS = (
    Refusal(ConfigurationInvalid, ConfigurationInvalidError),
    Refusal(AccountNameTaken, AccountNameTakenError),
    Refusal(TooManyProviderAccounts, TooManyProviderAccountsError),
    Refusal(AccountNotProven, AccountNotProvenError),
    Refusal(AccountDisabled, AccountDisabledError),
    Refusal(AccountOfChannel, AccountOfChannelError),
    Refusal(ImportNotReversible, ImportNotReversibleError),
)


@strawberry.type(description="A payment provider as your business uses it. Its secrets can never be read.")
class ProviderAccount(Node):
    provider: str = strawberry.field(description="The catalog's code, such as `stripe`.")
    name: str = strawberry.field(description="What your people call it.")
    environment: Environment = strawberry.field(description="Whether real money moves.")
    currencies: list[Currency] = strawberry.field(description="What it collects.")
    configuration: JSON = strawberry.field(description="What is not secret, by the provider's schema.")
    priority: int = strawberry.field(description="Lower is tried first.")
    is_default: bool = strawberry.field(description="Whether it is tried before all others.")
    is_enabled: bool = strawberry.field(description="Whether it takes new payments.")
    is_proven: bool = strawberry.field(description="Whether the provider accepted the keys it has now.")
    last_tested_at: datetime | None = strawberry.field(description="When its keys were last tried.")
    last_test_error: str | None = strawberry.field(description="Why the last test failed, if it did.")
    last_test_summary: str | None = strawberry.field(description="What the last test proved.")
    test_warnings: list[str] = strawberry.field(description="What the last test found worth looking at.")
    secrets_version: int = strawberry.field(description="Grows when keys are replaced.")
    previous_secrets_until: datetime | None = strawberry.field(
        description="Until then webhooks signed with replaced keys are believed; null if none were replaced."
    )
    created_at: datetime = strawberry.field(description="When it was configured.")
    _id: strawberry.Private[UUID]
    _row: strawberry.Private[AccountRow]

    @strawberry.field(description="The secrets that are stored, by name; their values can never be read.")
    async def stored_secrets(self, info: Info[TenantContext, None]) -> list[str]:
        return list((await self._view(info.context)).secret_names)

    @strawberry.field(description="The M-Pesa channel whose keys it holds; null for other accounts.")
    async def channel_id(self, info: Info[TenantContext, None]) -> strawberry.ID | None:
        id_ = (await self._view(info.context)).channel_id
        return None if id_ is None else strawberry.ID(outside(Kind.CHANNEL, id_))

    @strawberry.field(description="Whether it answers at present.")
    async def circuit(self, info: Info[TenantContext, None]) -> CircuitState:
        return (await self._view(info.context)).circuit

    async def _view(self, context: TenantContext) -> AccountView:
        return await context.loader(view_loader).load(self._row)

    @classmethod
    def of(cls, row: AccountRow) -> "ProviderAccount":
        return cls(
            id=strawberry.ID(outside(Kind.PROVIDER_ACCOUNT, row.id)),
            provider=row.provider,
            name=row.name,
            environment=Environment(row.environment),
            currencies=[currency for currency in Currency if currency in row.currencies],
            configuration=JSON(row.configuration),
            priority=row.priority,
            is_default=row.is_default,
            is_enabled=row.is_enabled,
            is_proven=row.is_proven,
            last_tested_at=row.last_tested_at,
            last_test_error=row.last_test_error,
            last_test_summary=row.last_test_summary,
            test_warnings=list(row.test_warnings),
            secrets_version=row.secrets_version,
            previous_secrets_until=row.previous_secrets_until,
            created_at=row.created_at,
            _id=row.id,
            _row=row,
        )


def view_loader(context: TenantContext) -> DataLoader[AccountRow, AccountView]:
    """What stands beside the rows, read for all accounts of a page at once."""

    async def load(rows: list[AccountRow]) -> list[AccountView]:
        return await provider_accounts.views(context, rows)

    return DataLoader(load_fn=load, max_batch_size=BATCH_MAX)


@strawberry.input(description="Which account.")
class ProviderAccountInput:
    id: strawberry.ID = strawberry.field(description=ACCOUNT_ID)

    def to_domain(self) -> UUID:
        """Raises InvalidInput."""
        return inside(Kind.PROVIDER_ACCOUNT, self.id)


Which = Annotated[ProviderAccountInput, strawberry.argument(description="Which account.")]
