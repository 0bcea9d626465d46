"""Daraja's access tokens: a new one ends the one before, so all who share a key pair share a token."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from core.clock import Clock

TOKENS_MAX: Final = 5_000
"""Key pairs one process remembers a token of; the least recently used is asked for again."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token; never printed."""

    value: str = field(repr=False)
    refresh_at: datetime
    """Some five minutes before it expires."""


FetchToken = Callable[[], Awaitable[AccessToken]]


class TokenStore(Protocol):
    """Remembers one token for each key pair.

    Shared by the processes of a deployment, or they end each other's tokens; the client survives
    that, at the price of one more call.
    """

    async def token(self, key: str, fetch: FetchToken, refused: str | None = None) -> str:
        """The remembered token, or a fetched one; rivals for the same key wait for one fetch.

        `key` holds no secret, and names base URL and key pair; an implementation that is shared
        between tenants is safe, because who does not know the consumer secret has another key.
        A remembered token is passed over if it is due for renewal or equals `refused`, the one
        that Daraja just turned down; if it is another, somebody has renewed it already.
        Whatever `fetch` raises passes through, and nothing is remembered.
        """
        ...


def token_key(base_url: str, consumer_key: str, consumer_secret: str) -> str:
    """Names a key pair at one base URL without telling it."""
    material = f"{base_url}\0{consumer_key}\0{consumer_secret}"
    return hashlib.sha256(material.encode()).hexdigest()


class ProcessTokens:
    """A TokenStore for one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    async def token(self, key: str, fetch: FetchToken, refused: str | None = None) -> str:
        entry = self._entry(key)
        async with entry.lock:
            known = entry.token
            if known is None or known.value == refused or self._clock() >= known.refresh_at:
                known = entry.token = await fetch()
        return known.value

    def _entry(self, key: str) -> "_Entry":
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        while len(self._entries) > TOKENS_MAX:
            self._entries.popitem(last=False)
        return entry


@dataclass(slots=True)
class _Entry:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: AccessToken | None = None
