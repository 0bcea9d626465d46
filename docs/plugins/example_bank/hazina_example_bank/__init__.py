"""Collects by bank transfer through Example Bank, a provider that was invented for this example."""

from typing import Final

from core.collecting import Feature
from hazina_example_bank.client import ExampleBankClient
from hazina_example_bank.transport import Transport
from hazina_example_bank.webhooks import ExampleBankWebhooks
from integrations.account import Account, Integration, Outside
from integrations.http import CallLog, checked_base_url


def example_bank_client(account: Account, outside: Outside, log: CallLog) -> ExampleBankClient:
    """The adapter of one tenant's account; opens no connection.

    Raises:
        NotConfigured: the API key is missing.
        ValueError: the catalog's base URL is unusable.
    """
    transport = Transport(checked_base_url(account.base_url), account.secret("api_key"), outside.http, log)
    return ExampleBankClient(transport, outside.clock)


EXAMPLE_BANK: Final = Integration(
    code="example_bank",
    features=frozenset(
        {
            *(Feature.COLLECT, Feature.QUERY, Feature.CANCEL, Feature.RECOVER, Feature.LIST),
            *(Feature.REFUND, Feature.PARTIAL_REFUND, Feature.WEBHOOK),
        }
    ),
    build=example_bank_client,
    webhooks=ExampleBankWebhooks(),
    public_details=("merchant_name",),
)
