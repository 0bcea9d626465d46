"""Carries Daraja's calls: one token for all of a key pair, renewed once where it is refused."""

import asyncio
import re
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import httpx

from core.clock import Clock
from integrations.errors import OutcomeUnknown, ProviderUnavailable
from integrations.http import CallLog, Outgoing, Reply, checked_base_url, send
from integrations.mpesa.codes import Fault
from integrations.mpesa.messages import MpesaCredentials, read_answer, text_of
from integrations.mpesa.tokens import AccessToken, TokenStore, token_key
from integrations.wire_json import Json

PROVIDER: Final = "mpesa"
KEYS_REFUSED: Final = "M-Pesa refuses the consumer key and secret. Check them, and the environment."
REFUSED_STATUSES: Final = (400, 401)
"""[ASSUMED] How a bad key pair is refused; the body may be empty."""

TOKEN_DEADLINE_S: Final = 8.0
TOKEN_PATIENCE_S: Final = 10.0
"""For a token, waiting for rivals included."""
RENEWAL_PATIENCE_S: Final = 10.0
"""A token refused later is not renewed: a job of 60 s is cut off, which leaves the outcome unknown."""
_LIFETIME: Final = re.compile(r"[0-9]{1,6}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,8192}")


class KeysRefused(ProviderUnavailable):
    """No token for this key pair, so nothing was sent: for a payment no other than being offline."""


class Caller:
    """Sends with one key pair to one base URL."""

    def __init__(
        self,
        credentials: MpesaCredentials,
        *,
        base_url: str,
        token_path: str,
        http: httpx.AsyncClient,
        tokens: TokenStore,
        clock: Clock,
        log: CallLog,
    ) -> None:
        self._credentials = credentials
        self._base_url = checked_base_url(base_url)
        self._token_path = token_path
        self._http = http
        self._tokens = tokens
        self._clock = clock
        self._log = log
        self._token_key = token_key(self._base_url, credentials.consumer_key, credentials.consumer_secret)

    async def send(self, operation: str, path: str, body: Mapping[str, Json], reference: str) -> Reply:
        """Send under a token; where Daraja turns the token down, once more under a newer one.

        Raises:
            ProviderUnavailable: no token or no connection: nothing was sent.
            OutcomeUnknown: it was sent and no answer came.
        """
        started = time.monotonic()
        token = await self._token()
        reply = await self._send(operation, path, body, reference, token)
        answer = read_answer(reply)
        if not isinstance(answer, Fault) or not answer.is_about_token:
            return reply
        if time.monotonic() - started > RENEWAL_PATIENCE_S:
            raise ProviderUnavailable(str(answer))
        token = await self._token(refused=token)
        return await self._send(operation, path, body, reference, token)

    async def ask(self, operation: str, path: str, body: Mapping[str, Json], reference: str) -> Reply:
        """As `send`, for what changes nothing when it is repeated.

        Raises:
            ProviderUnavailable: no answer.
        """
        try:
            return await self.send(operation, path, body, reference)
        except OutcomeUnknown as error:
            raise ProviderUnavailable(error.message) from error

    async def _token(self, refused: str | None = None) -> str:
        try:
            async with asyncio.timeout(TOKEN_PATIENCE_S):
                return await self._tokens.token(self._token_key, self._fetch_token, refused)
        except TimeoutError as error:
            raise ProviderUnavailable("no token in time") from error

    async def _send(
        self, operation: str, path: str, body: Mapping[str, Json], reference: str, token: str
    ) -> Reply:
        outgoing = Outgoing(
            provider=PROVIDER,
            operation=operation,
            method="POST",
            url=f"{self._base_url}{path}",
            reference=reference,
            headers={"authorization": f"Bearer {token}"},
            body=body,
        )
        return await send(self._http, outgoing, self._log)

    async def _fetch_token(self) -> AccessToken:
        outgoing = Outgoing(
            provider=PROVIDER,
            operation="token",
            method="GET",
            url=f"{self._base_url}{self._token_path}",
            reference="token",
            headers={"authorization": f"Basic {self._credentials.basic}"},
            deadline_s=TOKEN_DEADLINE_S,
        )
        asked_at = self._clock()
        try:
            reply = await send(self._http, outgoing, self._log)
        except OutcomeUnknown as error:
            # Nothing of the payment was sent yet.
            raise ProviderUnavailable(error.message) from error
        return _read_token(reply, asked_at)


def _read_token(reply: Reply, asked_at: datetime) -> AccessToken:
    if reply.status in REFUSED_STATUSES:
        raise KeysRefused(KEYS_REFUSED)
    answer = read_answer(reply)
    if isinstance(answer, Fault):
        raise ProviderUnavailable(f"no token: {answer}")
    value, lifetime_s = answer.get("access_token"), text_of(answer.get("expires_in"))
    if not isinstance(value, str) or _TOKEN.fullmatch(value) is None or not _LIFETIME.fullmatch(lifetime_s):
        raise ProviderUnavailable("no token: an answer without the expected keys")
    # Of an hour, the last five minutes are left unused.
    return AccessToken(value, asked_at + timedelta(seconds=int(lifetime_s) * 11 // 12))
