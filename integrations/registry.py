"""Which adapter speaks to which provider of the catalog."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from core.clock import Clock
from integrations.http import CallLog
from integrations.mpesa.client import MpesaClient
from integrations.mpesa.messages import MpesaCredentials, MpesaPaths, ShortCode
from integrations.mpesa.tokens import TokenStore
from integrations.protocol import Collector


class NotConfigured(Exception):
    """The catalog or the tenant's account lacks what the adapter needs; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What a process shares between all adapters."""

    http: httpx.AsyncClient
    tokens: TokenStore
    clock: Clock


@dataclass(frozen=True, slots=True)
class Account:
    """One tenant's configuration of one provider, opened for one job."""

    provider: str
    """The catalog's code: `mpesa`."""
    base_url: str
    """The catalog row's for the account's environment."""
    paths: Mapping[str, str]
    """`settings["paths"]` of the catalog row, by the adapter's names; those left out have defaults."""
    details: Mapping[str, str | None]
    """What is not secret. M-Pesa: `kind` (`paybill`, `till`), `short_code`, `head_office_code`."""
    secrets: Mapping[str, str] = field(repr=False)
    """Opened. M-Pesa: `consumer_key`, `consumer_secret`, `passkey`."""

    def secret(self, name: str) -> str:
        """Raises NotConfigured where it is missing."""
        return _required(self.secrets.get(name), name)

    def detail(self, name: str) -> str:
        """Raises NotConfigured where it is missing."""
        return _required(self.details.get(name), name)


def collector_for(account: Account, outside: Outside, log: CallLog) -> Collector:
    """Build the adapter for one tenant's account; opens no connection.

    Raises:
        NotConfigured: no adapter of that name collects, or a key or detail is missing.
        ValueError: the catalog's base URL is unusable.
    """
    factory = COLLECTORS.get(account.provider)
    if factory is None:
        raise NotConfigured(f"no adapter collects for {account.provider}")
    return factory(account, outside, log)


def mpesa_client(account: Account, outside: Outside, log: CallLog) -> MpesaClient:
    """As `collector_for`, for callers that also register C2B URLs."""
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


CollectorFactory = Callable[[Account, Outside, CallLog], Collector]

COLLECTORS: Final[Mapping[str, CollectorFactory]] = {"mpesa": mpesa_client}


def _required(value: str | None, name: str) -> str:
    if not value:
        raise NotConfigured(f"{name} is missing")
    return value
