"""Which adapter speaks to which provider of the catalog."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Final

import structlog

from integrations.account import Account, Integration, NotConfigured, Outside
from integrations.flutterwave.building import FLUTTERWAVE
from integrations.http import CallLog
from integrations.mpesa.building import MPESA
from integrations.paystack.building import PAYSTACK
from integrations.protocol import Adapter
from integrations.stripe.building import STRIPE

log = structlog.get_logger()

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
    """Every integration by its code; a plugin can't take the place of a built-in one.

    A plugin that can't be loaded is left out, and said in the log: the other providers go on.
    """
    return {integration.code: integration for integration in [*_plugins(), *BUILT_IN]}


def _plugins() -> Iterator[Integration]:
    for entry in entry_points(group=PLUGINS):
        try:
            loaded = entry.load()
        except Exception:
            # Somebody else's code, at the edge: it may raise anything.
            log.exception("plugin_not_loaded", plugin=entry.value)
            continue
        if isinstance(loaded, Integration):
            yield loaded
        else:
            log.error("plugin_is_no_integration", plugin=entry.value)


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
