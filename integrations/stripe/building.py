"""How Stripe is built into Hazina."""

import re
from typing import Final

from core.collecting import Feature
from integrations.account import Account, Integration, NotConfigured, Outside
from integrations.http import CallLog, checked_base_url
from integrations.stripe.api import API_VERSION, PROVIDER, StripeApi
from integrations.stripe.client import StripeClient
from integrations.stripe.events import StripeWebhooks
from integrations.stripe.intents import Mode

_KEY: Final = re.compile(r"(sk|rk)_(test|live)_[A-Za-z0-9_]{1,480}")
_VERSION: Final = re.compile(r"\d{4}-\d\d-\d\d(\.[a-z]{1,40})?")


def stripe_client(account: Account, outside: Outside, log: CallLog) -> StripeClient:
    """Build the adapter: `secret_key` is its secret, `publishable_key` its public detail.

    Raises:
        NotConfigured: no secret key, or none of Stripe's.
    """
    secret_key = account.secret("secret_key")
    if _KEY.fullmatch(secret_key) is None:
        raise NotConfigured("secret_key is none of Stripe's")
    version = account.settings.get("api_version", API_VERSION)
    if not isinstance(version, str) or _VERSION.fullmatch(version) is None:
        raise NotConfigured("api_version of the catalog is no version of Stripe's")
    api = StripeApi(
        base_url=checked_base_url(account.base_url),
        secret_key=secret_key,
        version=version,
        http=outside.http,
        log=log,
    )
    mode = Mode(account.environment == "production", account.details.get("publishable_key"))
    return StripeClient(api, mode, outside.clock)


STRIPE: Final = Integration(
    PROVIDER,
    frozenset(
        {
            *(Feature.COLLECT, Feature.QUERY, Feature.CONFIRM, Feature.CAPTURE, Feature.CANCEL),
            *(Feature.REFUND, Feature.PARTIAL_REFUND, Feature.RECOVER, Feature.LIST),
            *(Feature.DISPUTE, Feature.WEBHOOK),
        }
    ),
    stripe_client,
    webhooks=StripeWebhooks(),
    public_details=("publishable_key",),
)
