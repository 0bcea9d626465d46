"""Makes the client of one tenant's account."""

from typing import Final

from core.collecting import Feature
from integrations.account import Account, Integration, Outside
from integrations.http import CallLog
from integrations.paystack.calls import PaystackCalls, PaystackPaths, SecretKey
from integrations.paystack.client import PaystackClient
from integrations.paystack.requests import Collecting
from integrations.paystack.webhooks import PaystackWebhooks


def paystack_client(account: Account, outside: Outside, log: CallLog) -> PaystackClient:
    """The adapter for one tenant's account; opens no connection.

    Raises:
        NotConfigured: the secret key is missing, or a setting can't be used.
        ValueError: the catalog's base URL is unusable.
    """
    key = SecretKey(account.secret("secret_key"), account.environment)
    calls = PaystackCalls(key, account.base_url, outside.http, log)
    return PaystackClient(calls, Collecting.of(account), PaystackPaths.of(account.paths), outside.clock)


PAYSTACK: Final = Integration(
    "paystack",
    frozenset(
        {
            Feature.COLLECT,
            Feature.QUERY,
            Feature.CONFIRM,
            Feature.REFUND,
            Feature.PARTIAL_REFUND,
            Feature.RECOVER,
            Feature.LIST,
            Feature.DISPUTE,
            Feature.WEBHOOK,
        }
    ),
    paystack_client,
    PaystackWebhooks(),
    public_details=("public_key",),
)
