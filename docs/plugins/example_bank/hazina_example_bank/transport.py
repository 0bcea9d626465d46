"""Sends to Example Bank, and says of each failure whether it may have counted.

This file holds the decision that matters most: which failure is which of the three classes.
"""

from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlencode

import httpx

from integrations.errors import (
    BadMessage,
    FailureReason,
    OutcomeUnknown,
    ProviderRejected,
    ProviderUnavailable,
)
from integrations.http import CallLog, Outgoing, Reply, send
from integrations.redaction import redact_text
from integrations.wire_json import Json, read_object, require_object

PROVIDER: Final = "example_bank"
TOO_MANY_REQUESTS: Final = 429
NOT_FOUND: Final = 404
SERVER_ERRORS: Final = 500
KEY_REFUSED: Final = (401, 403)


class KeysRefused(ProviderUnavailable):
    """A question was refused for its key, which says nothing about the payment."""


@dataclass(frozen=True, slots=True)
class Transport:
    """One account's way to the bank. `repr=False` keeps the key out of logs and tracebacks."""

    base_url: str
    api_key: str = field(repr=False)
    http: httpx.AsyncClient = field(repr=False)
    log: CallLog = field(repr=False)

    async def ask(self, operation: str, path: str, /, **query: str) -> dict[str, Json] | None:
        """Ask something that changes nothing; None for what the bank does not know.

        Raises:
            KeysRefused: the key is refused.
            ProviderUnavailable: no answer, or none that can be read.
        """
        where = f"{path}?{urlencode(query)}" if query else path
        try:
            reply = await self._send("GET", operation, where, operation, None)
        except OutcomeUnknown as error:
            # A question that was lost has changed nothing.
            raise ProviderUnavailable(error.message) from error
        if reply.status in KEY_REFUSED:
            raise KeysRefused("Example Bank refuses the API key.")
        if reply.status == NOT_FOUND and _error_of(reply) is not None:
            return None
        return _object_of(reply) or _unavailable(reply)

    async def do(self, operation: str, path: str, body: dict[str, Json], reference: str) -> dict[str, Json]:
        """Have something done. Every such call of the bank is idempotent by our reference.

        Raises:
            ProviderUnavailable: nothing was sent, or the bank throttled it.
            ProviderRejected: the bank refused it for good.
            OutcomeUnknown: anything else: it may have been done.
        """
        reply = await self._send("POST", operation, path, reference, body)
        answer = _object_of(reply)
        if answer is not None:
            return answer
        if reply.status == TOO_MANY_REQUESTS:
            raise ProviderUnavailable("Example Bank throttles us.")
        error = _error_of(reply)
        if error is None or reply.status >= SERVER_ERRORS:
            raise OutcomeUnknown(reference, f"HTTP {reply.status}")
        is_key = reply.status in KEY_REFUSED
        code, message = error
        raise ProviderRejected(
            code, message, FailureReason.CONFIGURATION if is_key else FailureReason.DECLINED
        )

    async def _send(
        self,
        method: Literal["GET", "POST"],
        operation: str,
        where: str,
        reference: str,
        body: dict[str, Json] | None,
    ) -> Reply:
        outgoing = Outgoing(
            provider=PROVIDER,
            operation=operation,
            method=method,
            url=f"{self.base_url}{where}",
            reference=reference,
            headers={"authorization": f"Bearer {self.api_key}"},
            body=body,
        )
        return await send(self.http, outgoing, self.log)


def _object_of(reply: Reply) -> dict[str, Json] | None:
    if reply.status not in (200, 201):
        return None
    try:
        return read_object(reply.body)
    except BadMessage:
        return None


def _error_of(reply: Reply) -> tuple[str, str] | None:
    """Code and message of the bank's error envelope; None where something else stands in its place."""
    try:
        error = require_object(read_object(reply.body).get("error"))
    except BadMessage:
        return None
    code, message = error.get("code"), error.get("message")
    if not isinstance(code, str) or not isinstance(message, str):
        return None
    # Some texts repeat what was sent, and they reach people and logs.
    return redact_text(code), redact_text(message)


def _unavailable(reply: Reply) -> dict[str, Json]:
    raise ProviderUnavailable(f"HTTP {reply.status}, or an answer that is none")
