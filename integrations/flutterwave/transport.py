"""Sends to Flutterwave under one account's key, and says of each failure whether it may have counted."""

from dataclasses import dataclass, field
from typing import Final, Literal, NoReturn
from urllib.parse import urlencode

import httpx

from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.flutterwave.messages import Envelope, read_envelope
from integrations.flutterwave.words import GENERAL_TEXTS, TAKEN_TEXTS
from integrations.http import CallLog, Outgoing, Reply, send
from integrations.wire_json import Json

PROVIDER: Final = "flutterwave"
DEADLINE_S: Final = 40.0
"""Flutterwave gives up after some 28 s itself, and says so: whoever waits for less never hears it."""
DEADLINE_MAX_S: Final = 45.0
QUESTION_DEADLINE_S: Final = 10.0
"""A question and a POST fit into one job of 60 s."""
TOO_MANY_REQUESTS: Final = 429
BAD_REQUEST: Final = 400
KEYS_REFUSED_STATUSES: Final = (401, 403)
KEYS_REFUSED: Final = "Flutterwave refuses the secret key, or this server's address. Check both."


class KeysRefused(ProviderUnavailable):
    """A question was refused for its key, which says nothing about the payment."""


@dataclass(frozen=True, slots=True)
class Transport:
    """One account's way to Flutterwave."""

    base_url: str
    secret_key: str = field(repr=False)
    http: httpx.AsyncClient = field(repr=False)
    log: CallLog = field(repr=False)
    deadline_s: float = DEADLINE_S

    async def ask(self, operation: str, path: str, /, **query: str) -> Envelope:
        """Ask something that changes nothing; an envelope that says "error" is an answer.

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
        if reply.status in KEYS_REFUSED_STATUSES:
            raise KeysRefused(KEYS_REFUSED)
        envelope = read_envelope(reply)
        if envelope is None or (not envelope.is_success and not _is_refusal(reply)):
            raise ProviderUnavailable(_shown(reply, envelope))
        return envelope

    async def do(self, operation: str, path: str, body: dict[str, Json], reference: str) -> Envelope:
        """Have something done, once; the envelope says "success".

        Raises:
            ProviderUnavailable: nothing was sent, or it was throttled.
            ProviderRejected: refused for good.
            OutcomeUnknown: anything else, Flutterwave's own time-out (503) above all.
        """
        reply = await self._send("POST", operation, path, reference, body)
        envelope = read_envelope(reply)
        if envelope is None or not envelope.is_success:
            raise_for(reply, envelope, reference)
        return envelope

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
            headers={"authorization": f"Bearer {self.secret_key}"},
            body=body,
            deadline_s=self.deadline_s if method == "POST" else QUESTION_DEADLINE_S,
        )
        return await send(self.http, outgoing, self.log)


def raise_for(reply: Reply, envelope: Envelope | None, reference: str) -> NoReturn:
    """Say what a refusal means for something that was sent to be done."""
    shown = _shown(reply, envelope)
    if reply.status == TOO_MANY_REQUESTS:
        raise ProviderUnavailable(shown)
    if reply.status in KEYS_REFUSED_STATUSES:
        raise ProviderRejected(str(reply.status), KEYS_REFUSED, FailureReason.CONFIGURATION)
    if envelope is None or not _is_refusal(reply) or not _names_a_reason(envelope):
        raise OutcomeUnknown(reference, shown)
    raise ProviderRejected(str(reply.status), envelope.message, _refused_for(envelope))


def _is_refusal(reply: Reply) -> bool:
    return BAD_REQUEST <= reply.status < TOO_MANY_REQUESTS


def _names_a_reason(envelope: Envelope) -> bool:
    if not envelope.message:
        return False
    return not any(words in envelope.text for words in (*GENERAL_TEXTS, *TAKEN_TEXTS))


def _refused_for(envelope: Envelope) -> FailureReason:
    return FailureReason.PAYER_NOT_ALLOWED if "blacklist" in envelope.text else FailureReason.DECLINED


def _shown(reply: Reply, envelope: Envelope | None) -> str:
    said = "an answer that is no envelope" if envelope is None else envelope.message
    return f"HTTP {reply.status} {said}".strip()
