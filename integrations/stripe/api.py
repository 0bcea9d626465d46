"""Sends to Stripe, and says of each error what may be done next.

Source: Stripe sheet, sections 1, 7 and 8.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn
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
from integrations.protocol import NotPaid
from integrations.redaction import redact_text
from integrations.stripe.codes import CONFIGURATION_STATUSES, NOT_OUR_FAULT, decline, word
from integrations.wire_json import Json, read_object

PROVIDER: Final = "stripe"
API_VERSION: Final = "2026-10-28.endive"
"""What our readers were written for; the catalog's `api_version` wins."""
SHOULD_RETRY: Final = "stripe-should-retry"
REPLAYED: Final = "idempotent-replayed"
"""[ASSUMED] `true` where an answer is an earlier one again."""
KEY_IN_USE: Final = "idempotency_key_in_use"

OK: Final = 200
CLIENT_FAULT: Final = 400
UNAUTHORIZED: Final = 401
CARD_REFUSED: Final = 402
FORBIDDEN: Final = 403
CONFLICT: Final = 409
TOO_MANY: Final = 429
SERVER_FAULT: Final = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that is no object: Stripe's error, or what stood in its place."""

    status: int
    error: Mapping[str, Json] = field(repr=False)
    """Empty where the answer had none."""
    may_retry: bool | None
    """As Stripe says in Stripe-Should-Retry; None where it says nothing."""
    is_replay: bool = False

    @property
    def code(self) -> str:
        return word(self.error.get("code")) or word(self.error.get("type")) or f"http_{self.status}"

    @property
    def is_foreign(self) -> bool:
        """Whether something between us and Stripe may have answered."""
        return not self.error and self.status not in (UNAUTHORIZED, CONFLICT, TOO_MANY)

    @property
    def declined(self) -> NotPaid | None:
        """Why this try of the payer failed, if that is what it says."""
        is_card = self.status == CARD_REFUSED or self.error.get("type") == "card_error"
        return decline(self.error) if is_card else None

    def __str__(self) -> str:
        message = self.error.get("message")
        text = redact_text(message) if isinstance(message, str) else ""
        return f"HTTP {self.status} {self.code} {text}".strip()


Answered = dict[str, Json] | Fault


@dataclass(frozen=True, slots=True)
class StripeApi:
    """One secret key at one base URL."""

    base_url: str
    secret_key: str = field(repr=False)
    version: str
    http: httpx.AsyncClient
    log: CallLog

    async def get(self, operation: str, path: str, query: Mapping[str, str] | None = None) -> Answered:
        """Ask. A question that was lost has changed nothing.

        Raises:
            ProviderUnavailable: no answer, or none that can be read, or too many questions.
        """
        suffix = f"?{urlencode(query)}" if query else ""
        outgoing = Outgoing(
            provider=PROVIDER,
            operation=operation,
            method="GET",
            url=f"{self.base_url}{path}{suffix}",
            reference=operation,
            headers=self._headers(),
        )
        try:
            reply = await send(self.http, outgoing, self.log)
        except OutcomeUnknown as error:
            raise ProviderUnavailable(error.message) from error
        answered = _read(reply)
        if isinstance(answered, Fault) and _is_passing(answered):
            raise ProviderUnavailable(str(answered))
        return answered

    async def post(
        self, operation: str, path: str, form: Mapping[str, str], *, key: str, reference: str
    ) -> Answered:
        """Do, at most once per key within a day: the same key and form are answered as the first time.

        Raises:
            ProviderUnavailable: nothing reached Stripe.
            OutcomeUnknown: sent, and no answer came.
        """
        outgoing = Outgoing(
            provider=PROVIDER,
            operation=operation,
            method="POST",
            url=f"{self.base_url}{path}",
            reference=reference,
            headers={**self._headers(), "idempotency-key": key},
            form=form,
        )
        return _read(await send(self.http, outgoing, self.log))

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret_key}", "stripe-version": self.version}


def raise_for(fault: Fault, reference: str) -> NoReturn:
    """Say what an error means for what was sent.

    Raises:
        ProviderUnavailable: throttled or locked, so surely not acted on.
        ProviderRejected: refused for good.
        OutcomeUnknown: Stripe failed on the way, or its answer is no answer of Stripe's.
    """
    is_refusal = CLIENT_FAULT <= fault.status < SERVER_FAULT and not fault.is_foreign
    # A key in use: the first request with it is still at work.
    if not is_refusal or fault.code == KEY_IN_USE:
        raise OutcomeUnknown(reference, str(fault))
    if fault.may_retry or (fault.may_retry is None and fault.status in (CONFLICT, TOO_MANY)):
        raise ProviderUnavailable(str(fault))
    raise_rejected(fault)


def raise_rejected(fault: Fault) -> NoReturn:
    """Raises ProviderRejected, with why and a message that may be shown."""
    declined = fault.declined
    if declined is not None:
        raise ProviderRejected(declined.code, declined.message, declined.reason)
    reason = NOT_OUR_FAULT.get(fault.code, FailureReason.CONFIGURATION)
    if fault.status in (CONFLICT, TOO_MANY):
        reason = FailureReason.PROVIDER_BUSY
    if fault.status in CONFIGURATION_STATUSES:
        raise ProviderRejected(
            fault.code, "Stripe refuses the secret key, or what it may do.", FailureReason.CONFIGURATION
        )
    raise ProviderRejected(fault.code, f"Stripe refuses: {fault}", reason)


def _is_passing(fault: Fault) -> bool:
    """Whether the same question may be answered later."""
    is_refusal = CLIENT_FAULT <= fault.status < SERVER_FAULT and fault.status not in (CONFLICT, TOO_MANY)
    return bool(fault.may_retry) or not is_refusal or fault.is_foreign


def _read(reply: Reply) -> Answered:
    may_retry = {"true": True, "false": False}.get(reply.headers.get(SHOULD_RETRY, "").lower())
    is_replay = reply.headers.get(REPLAYED, "").lower() == "true"
    try:
        answer = read_object(reply.body)
    except BadMessage:
        return Fault(reply.status if reply.status != OK else 0, {}, may_retry, is_replay)
    if reply.status == OK:
        return answer
    error = answer.get("error")
    return Fault(reply.status, error if isinstance(error, dict) else {}, may_retry, is_replay)
