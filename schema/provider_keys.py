"""Keys of provider accounts: given, tried, replaced, and never shown again."""

from typing import Annotated

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from core.currency import Currency
from core.errors import InvalidInput
from core.ids import Kind, inside
from resolvers import provider_keys
from schema.errors import ForbiddenError, InvalidInputError, NotFoundError
from schema.provider_account_types import (
    ACCOUNT_ID,
    AccountNameTakenError,
    AccountOfChannelError,
    ConfigurationInvalidError,
    ProviderAccount,
    TooManyProviderAccountsError,
    Which,
)
from schema.provider_types import ProviderNotOfferedError, ProviderUnknownError
from tenancy.context import TenantContext
from tenant_db.channels.machine import Environment
from tenant_db.credentials.configuring import NewConfiguration

CONFIGURATION = (
    "The values by the provider's configSchema, secret and plain, such as"
    ' {"secret_key": "sk_test_…"}. Secrets are sealed and can never be read again.'
)


@strawberry.input(description="The provider to set up.")
class ConfigureProviderInput:
    provider: str = strawberry.field(description="The catalog's code, such as `stripe`.")
    environment: Environment = strawberry.field(description="Which of its systems the keys are for.")
    configuration: JSON = strawberry.field(description=CONFIGURATION)
    name: str | None = strawberry.field(
        default=None, description="What your people call it: 1 to 80 characters; the provider's if left out."
    )
    currencies: list[Currency] | None = strawberry.field(
        default=None, description="What it shall collect; all that the provider takes if left out."
    )
    priority: int = strawberry.field(default=100, description="1 to 1000; lower is tried first.")

    def to_domain(self) -> NewConfiguration:
        """Raises InvalidInput."""
        values = configuration_of(self.configuration)
        return NewConfiguration(self.environment, values, self.name, self.currencies, self.priority)


@strawberry.input(description="The account whose keys to replace.")
class ReplaceProviderKeysInput:
    id: strawberry.ID = strawberry.field(description=ACCOUNT_ID)
    configuration: JSON = strawberry.field(description=f"{CONFIGURATION} What you leave out stays as it is.")


@strawberry.type(description="The account is set up and switched off; its keys are being tested.")
class ConfigureProviderSuccess:
    provider_account: ProviderAccount = strawberry.field(description="The new account.")
    webhook_url: str = strawberry.field(
        description="Register it at the provider. It is a secret: revealWebhookUrl shows it again."
    )


@strawberry.type(description="A job asks the provider now; read lastTestedAt and lastTestError after it.")
class TestProviderAccountSuccess:
    provider_account: ProviderAccount = strawberry.field(description="The account, before the test.")


@strawberry.type(description="The new keys are used from now on, and being tested.")
class ReplaceProviderKeysSuccess:
    provider_account: ProviderAccount = strawberry.field(description="The account now.")


@strawberry.type(description="Where the provider sends its webhooks.")
class RevealWebhookUrlSuccess:
    webhook_url: str = strawberry.field(description="Register it at the provider; keep it secret.")


ConfigureProviderResult = Annotated[
    ConfigureProviderSuccess
    | ConfigurationInvalidError
    | ProviderUnknownError
    | ProviderNotOfferedError
    | AccountNameTakenError
    | TooManyProviderAccountsError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("ConfigureProviderResult", description="Whether the provider was set up."),
]
TestProviderAccountResult = Annotated[
    TestProviderAccountSuccess | AccountOfChannelError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("TestProviderAccountResult", description="Whether the test was started."),
]
ReplaceProviderKeysResult = Annotated[
    ReplaceProviderKeysSuccess
    | ConfigurationInvalidError
    | AccountOfChannelError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("ReplaceProviderKeysResult", description="Whether the keys were replaced."),
]
RevealWebhookUrlResult = Annotated[
    RevealWebhookUrlSuccess | AccountOfChannelError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("RevealWebhookUrlResult", description="The URL, or why not."),
]


def configuration_of(given: object) -> dict[str, object]:
    """Raises InvalidInput unless it is an object."""
    if not isinstance(given, dict):
        raise InvalidInput("configuration", "The configuration is an object.")
    return {str(name): value for name, value in given.items()}


@strawberry.type(description="Keys of provider accounts.")
class ProviderKeyMutations:
    @strawberry.mutation(
        description="Sets a provider up, switched off until its keys are proven. Needs channels:write."
    )
    async def configure_provider(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ConfigureProviderInput, strawberry.argument(description="The provider and keys.")],
    ) -> ConfigureProviderResult:
        row, url = await provider_keys.configure_provider(info.context, input.provider, input.to_domain())
        return ConfigureProviderSuccess(provider_account=ProviderAccount.of(row), webhook_url=url)

    @strawberry.mutation(
        description="Tries the keys by a real call that moves no money, in a moment. Needs channels:write."
    )
    async def test_provider_account(
        self, info: Info[TenantContext, None], input: Which
    ) -> TestProviderAccountResult:
        row = await provider_keys.test_provider_account(info.context, input.to_domain())
        return TestProviderAccountSuccess(provider_account=ProviderAccount.of(row))

    @strawberry.mutation(
        description=(
            "Replaces keys without a pause: new ones are used at once, webhooks signed with the old ones are"
            " believed for 24 hours. Needs channels:write."
        )
    )
    async def replace_provider_keys(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ReplaceProviderKeysInput, strawberry.argument(description="Account and keys.")],
    ) -> ReplaceProviderKeysResult:
        row = await provider_keys.replace_provider_keys(
            info.context, inside(Kind.PROVIDER_ACCOUNT, input.id), configuration_of(input.configuration)
        )
        return ReplaceProviderKeysSuccess(provider_account=ProviderAccount.of(row))

    @strawberry.mutation(
        description="Shows the URL to register at the provider; this is audited. Needs channels:write."
    )
    async def reveal_webhook_url(
        self, info: Info[TenantContext, None], input: Which
    ) -> RevealWebhookUrlResult:
        url = await provider_keys.reveal_webhook_url(info.context, input.to_domain())
        return RevealWebhookUrlSuccess(webhook_url=url)
