"""Which adapter speaks to which provider of the catalog."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Final

from core.collecting import Feature
from integrations.account import Account, Integration, NotConfigured, Outside
from integrations.flutterwave.building import FLUTTERWAVE
from integrations.http import CallLog
from integrations.mpesa.client import MpesaClient
from integrations.mpesa.messages import MpesaCredentials, MpesaPaths, ShortCode
from integrations.paystack.building import PAYSTACK
from integrations.protocol import Adapter

PLUGINS: Final = "hazina.providers"
"""The entry point group of plugins: each names an `Integration`."""


def integration_for(provider: str) -> Integration:
    """What speaks to a provider of the catalog.

    Raises:
        NotConfigured: neither Hazina nor an installed plugin does.
    """
    found = integrations().get(provider)
    if found is None:
        raise NotConfigured(f"no adapter speaks to {provider}")
    return found


@cache
def integrations() -> Mapping[str, Integration]:
    """Every integration by its code; a plugin can't take the place of a built-in one."""
    plugins: list[Integration] = [entry.load() for entry in entry_points(group=PLUGINS)]
    return {integration.code: integration for integration in [*plugins, *BUILT_IN]}


def adapter_for(account: Account, outside: Outside, log: CallLog) -> Adapter:
    """Build the adapter for one tenant's account; opens no connection.

    Raises:
        NotConfigured: no adapter of that name, or a key or detail is missing.
        ValueError: the catalog's base URL is unusable.
    """
    return integration_for(account.provider).build(account, outside, log)


def mpesa_client(account: Account, outside: Outside, log: CallLog) -> MpesaClient:
    """As `adapter_for`, for callers that also register C2B URLs."""
    number = account.detail("short_code")
    is_till = account.detail("kind") == "till"
    return MpesaClient(
        MpesaCredentials(
            account.secret("consumer_key"), account.secret("consumer_secret"), account.secret("passkey")
        ),
        ShortCode.till(number, account.detail("head_office_code")) if is_till else ShortCode.paybill(number),
        base_url=account.base_url,
        paths=MpesaPaths.of(account.paths),
        http=outside.http,
        tokens=outside.tokens,
        clock=outside.clock,
        log=log,
    )


BUILT_IN: Final = (
    Integration("mpesa", frozenset({Feature.COLLECT, Feature.QUERY, Feature.WEBHOOK}), mpesa_client),
    FLUTTERWAVE,
    PAYSTACK,
)
