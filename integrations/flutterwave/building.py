"""Makes the client of one tenant's account."""

from collections.abc import Mapping

from core.collecting import Feature
from integrations.account import Account, Integration, Outside
from integrations.flutterwave.charging import Habits
from integrations.flutterwave.client import FlutterwaveClient
from integrations.flutterwave.events import FlutterwaveWebhooks
from integrations.flutterwave.messages import FlutterwavePaths
from integrations.flutterwave.transport import DEADLINE_MAX_S, DEADLINE_S, Transport
from integrations.http import CallLog, checked_base_url


def flutterwave_client(account: Account, outside: Outside, log: CallLog) -> FlutterwaveClient:
    """Raises NotConfigured without a secret key, ValueError for an unusable base URL."""
    transport = Transport(
        checked_base_url(account.base_url),
        account.secret("secret_key"),
        outside.http,
        log,
        _deadline_s(account.settings),
    )
    return FlutterwaveClient(
        transport,
        FlutterwavePaths.of(account.paths),
        Habits.of(account.settings, account.details),
        account.environment,
        outside.clock,
    )


def _deadline_s(settings: Mapping[str, object]) -> float:
    told = settings.get("read_timeout_s")
    return min(max(DEADLINE_S, float(told)), DEADLINE_MAX_S) if isinstance(told, int) else DEADLINE_S


FLUTTERWAVE = Integration(
    "flutterwave",
    frozenset(
        {
            Feature.COLLECT,
            Feature.QUERY,
            Feature.CANCEL,
            Feature.REFUND,
            Feature.PARTIAL_REFUND,
            Feature.RECOVER,
            Feature.LIST,
            Feature.WEBHOOK,
        }
    ),
    flutterwave_client,
    FlutterwaveWebhooks(),
    public_details=("public_key",),
)
