"""Which adapter speaks to which provider of the catalog."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Final

from integrations.account import Account, Integration, NotConfigured, Outside
from integrations.flutterwave.building import FLUTTERWAVE
from integrations.http import CallLog
from integrations.mpesa.building import MPESA
from integrations.paystack.building import PAYSTACK
from integrations.protocol import Adapter
from integrations.stripe.building import STRIPE

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


BUILT_IN: Final = (
    MPESA,
    FLUTTERWAVE,
    PAYSTACK,
    STRIPE,
)
