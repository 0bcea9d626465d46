"""Sends to Paystack, and sorts what comes back into the three classes.

Source: Paystack, sections 1 and 8.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlencode

import httpx

from integrations.errors import (
    BadMessage,
    FailureReason,
    OutcomeUnknown,
    ProviderRejected,
    ProviderUnavailable,
)
from integrations.http import CallLog, Outgoing, Reply, checked_base_url, send
from integrations.paystack.codes import REFUSING, TOO_MANY_REQUESTS, Fault
from integrations.paystack.reading import text_of
from integrations.redaction import redact_text
from integrations.wire_json import Json, read_object

PROVIDER: Final = "paystack"
QUESTION_DEADLINE_S: Final = 15.0
"""A question may follow an order within one job."""
ORDER_DEADLINE_S: Final = 30.0
MODES: Final[Mapping[str, str]] = {"sandbox": "test", "production": "live"}
"""By environment: what a key says, and every object's `domain`."""
_KEY: Final = re.compile(r"sk_(test|live)_[A-Za-z0-9_-]{1,200}")


@dataclass(frozen=True, slots=True)
class PaystackPaths:
    """Paths below the base URL."""

    initialize: str = "/transaction/initialize"
    verify: str = "/transaction/verify"
    transactions: str = "/transaction"
    charge: str = "/charge"
    refund: str = "/refund"
    balance: str = "/balance"

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Self:
        """Take the paths that are set, by the names of the fields; others stay as they are."""
        return cls(**{name: path for name, path in settings.items() if name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A tenant's key; its mode is part of it."""

    value: str = field(repr=False)
    environment: str

    @property
    def mode(self) -> str:
        """What objects of this account say in `domain`: `test` or `live`."""
        return MODES.get(self.environment, "live")

    def bearer(self) -> str:
        """The header that authenticates.

        Raises:
            ProviderRejected: it is no secret key, or one of the other mode; nothing was sent.
        """
        found = _KEY.fullmatch(self.value)
        if found is None:
            raise _bad_key("A secret key of Paystack begins with sk_test_ or sk_live_.")
        if found[1] != self.mode:
            raise _bad_key(f"This is a {found[1]} key of Paystack, and the account is {self.environment}.")
        return f"Bearer {self.value}"


class PaystackCalls:
    """One account's way to Paystack."""

    def __init__(self, key: SecretKey, base_url: str, http: httpx.AsyncClient, log: CallLog) -> None:
        self._key = key
        self.mode = key.mode
        self._base_url = checked_base_url(base_url)
        self._http = http
        self._log = log

    def require_key(self) -> None:
        """Raises ProviderRejected where the key is none, or of the other mode."""
        self._key.bearer()

    async def order(
        self, operation: str, path: str, body: Mapping[str, Json], reference: str
    ) -> dict[str, Json] | Fault:
        """POST what may move money; gives the envelope, or the refusal.

        Raises:
            ProviderUnavailable: nothing was sent, or it was throttled.
            OutcomeUnknown: sent, and no answer came that says what was done.
            ProviderRejected: the key can't be used; nothing was sent.
        """
        reply = await self._send("POST", operation, path, reference, body)
        if reply.status == TOO_MANY_REQUESTS:
            # [ASSUMED] What is throttled was not processed.
            raise ProviderUnavailable("Paystack takes no more calls for a while")
        answer = _read(reply)
        if answer is None:
            raise OutcomeUnknown(reference, f"HTTP {reply.status} and no answer of Paystack's")
        return answer

    async def ask(
        self, operation: str, path: str, reference: str, query: Mapping[str, str] | None = None
    ) -> dict[str, Json] | Fault:
        """GET what changes nothing; gives the envelope, or the refusal.

        Raises:
            ProviderUnavailable: no answer, which says nothing; also where the key can't be used.
        """
        url = f"{path}?{urlencode(query)}" if query else path
        try:
            reply = await self._send("GET", operation, url, reference, None)
        except (OutcomeUnknown, ProviderRejected) as error:
            raise ProviderUnavailable(error.message) from error
        answer = _read(reply)
        if answer is None:
            raise ProviderUnavailable(f"HTTP {reply.status} and no answer of Paystack's")
        return answer

    async def _send(
        self, method: str, operation: str, path: str, reference: str, body: Mapping[str, Json] | None
    ) -> Reply:
        outgoing = Outgoing(
            provider=PROVIDER,
            operation=operation,
            method="GET" if method == "GET" else "POST",
            url=f"{self._base_url}{path}",
            reference=reference,
            headers={"authorization": self._key.bearer()},
            body=body,
            deadline_s=QUESTION_DEADLINE_S if method == "GET" else ORDER_DEADLINE_S,
        )
        return await send(self._http, outgoing, self._log)


def _read(reply: Reply) -> dict[str, Json] | Fault | None:
    """An envelope that says yes, one that says no, or nothing that can be relied on."""
    try:
        envelope = read_object(reply.body)
    except BadMessage:
        return None
    if reply.status in (200, 201) and envelope.get("status") is True:
        return envelope
    if reply.status in REFUSING and envelope.get("status") is False:
        # Some texts repeat what was sent, and they reach people and logs.
        message = redact_text(text_of(envelope.get("message")))
        return Fault(reply.status, text_of(envelope.get("code"))[:60], message)
    return None


def _bad_key(message: str) -> ProviderRejected:
    return ProviderRejected("secret_key", message, FailureReason.CONFIGURATION)
