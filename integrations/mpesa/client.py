"""Speaks Daraja for one short code of one tenant."""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, Literal
from uuid import uuid4

import httpx

from core.clock import Clock
from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.http import CallLog, Outgoing, Reply, checked_base_url, ignore_call, send
from integrations.mpesa.codes import (
    DONE,
    MERCHANT_ERROR,
    REGISTERED_TEXT,
    SERVER_ERROR,
    Fault,
    raise_for_prompt,
    read_result,
)
from integrations.mpesa.messages import (
    MpesaCredentials,
    MpesaPaths,
    ShortCode,
    prompt_body,
    read_accepted,
    read_answer,
    require_url,
    signed,
    text_of,
)
from integrations.mpesa.proving import judge_proof
from integrations.mpesa.tokens import AccessToken, TokenStore, token_key
from integrations.protocol import (
    Accepted,
    Adapter,
    Answer,
    Intent,
    KeyProof,
    NotPaid,
    Paid,
    Question,
    StillPending,
)
from integrations.redaction import redact_text
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


class Registration(Enum):
    """How a registration of C2B URLs ended."""

    DONE = auto()
    STANDING = auto()
    """URLs were registered before and still stand: compare them with ours."""


class KeysRefused(ProviderUnavailable):
    """No token for this key pair, so nothing was sent: for a payment no other than being offline."""


class MpesaClient(Adapter):
    """For one PayBill or till."""

    def __init__(
        self,
        credentials: MpesaCredentials,
        short_code: ShortCode,
        *,
        base_url: str,
        http: httpx.AsyncClient,
        tokens: TokenStore,
        clock: Clock,
        paths: MpesaPaths | None = None,
        log: CallLog = ignore_call,
    ) -> None:
        self._credentials = credentials
        self._short_code = short_code
        self._base_url = checked_base_url(base_url)
        self._http = http
        self._tokens = tokens
        self._clock = clock
        self._paths = paths or MpesaPaths()
        self._log = log
        self._token_key = token_key(self._base_url, credentials.consumer_key, credentials.consumer_secret)

    async def create_payment(self, intent: Intent) -> Accepted:
        """Ask the payer's phone to approve a payment (Daraja: M-Pesa Express, STK push).

        The amount must be whole shillings, a multiple of 100 minor units.

        Raises:
            ProviderUnavailable: nothing reached M-Pesa; safe to send again.
            OutcomeUnknown: it was sent and no answer came. Never send it again: Daraja has no
                idempotency key, so the payer could pay twice.
            ProviderRejected: M-Pesa answered with a refusal, or takes no such phone or amount.
        """
        details = prompt_body(intent, self._short_code)
        reply = await self._post("stk_push", self._paths.stk_push, details, intent.reference)
        accepted = read_accepted(reply)
        if isinstance(accepted, Fault):
            raise_for_prompt(accepted, intent.reference)
        return accepted

    async def query_payment(self, question: Question) -> Answer:
        """Ask what became of a prompt (Daraja: STK query). It never tells a receipt or an amount.

        What it says of a failure is sure: it is itself the confirming query.

        Raises:
            ProviderUnavailable: no answer, which says nothing about the payment.
        """
        provider_reference = question.provider_reference
        answer = read_answer(await self._ask(provider_reference))
        if isinstance(answer, Fault):
            if answer.code == MERCHANT_ERROR and not answer.is_configuration:
                return StillPending()
            raise ProviderUnavailable(str(answer))
        code = text_of(answer.get("ResultCode"))
        if not code or text_of(answer.get("CheckoutRequestID")) not in ("", provider_reference):
            raise ProviderUnavailable("an answer without the expected keys")
        result = read_result(code, text_of(answer.get("ResultDesc")), Paid())
        return replace(result, is_sure=True) if isinstance(result, NotPaid) else result

    async def prove_keys(self) -> KeyProof:
        """Prove keys, passkey and short code by a token and a query for an invented prompt.

        Raises:
            ProviderUnavailable: no answer; try again later.
            ProviderRejected: its message says which to correct.
        """
        invented = f"ws_CO_{uuid4().hex}"
        try:
            reply = await self._ask(invented)
        except KeysRefused as error:
            raise ProviderRejected("token", KEYS_REFUSED, FailureReason.CONFIGURATION) from error
        judge_proof(reply)
        return KeyProof("M-Pesa accepts the keys and the passkey for this short code.")

    async def register_urls(
        self, confirmation_url: str, validation_url: str, unanswered: Literal["Completed", "Cancelled"]
    ) -> Registration:
        """Have payments made by hand told to us (Daraja: C2B register); production takes it once.

        `unanswered` is what M-Pesa does with a payment when our validation does not answer.

        Raises:
            ProviderUnavailable: not registered, or not known to be: registering again is harmless.
            ProviderRejected: refused for good.
        """
        details: dict[str, Json] = {
            "ShortCode": self._short_code.business_short_code,
            "ResponseType": unanswered,
            "ConfirmationURL": require_url(confirmation_url),
            "ValidationURL": require_url(validation_url),
        }
        try:
            reply = await self._send_authorized("c2b_register", self._paths.c2b_register, details, "c2b")
        except OutcomeUnknown as error:
            raise ProviderUnavailable(error.message) from error
        return _read_registration(reply)

    async def _ask(self, provider_reference: str) -> Reply:
        details = {"CheckoutRequestID": provider_reference}
        # It ends in the payer's number, and what failed is written into logs and dead letters.
        reference = redact_text(provider_reference)
        try:
            return await self._post("stk_query", self._paths.stk_query, details, reference)
        except OutcomeUnknown as error:
            # A question that was lost has changed nothing.
            raise ProviderUnavailable(error.message) from error

    async def _post(self, operation: str, path: str, details: Mapping[str, Json], reference: str) -> Reply:
        body = {**signed(self._short_code, self._credentials, self._clock()), **details}
        return await self._send_authorized(operation, path, body, reference)

    async def _send_authorized(
        self, operation: str, path: str, body: dict[str, Json], reference: str
    ) -> Reply:
        """Send under a token; where Daraja turns the token down, once more under a newer one."""
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

    async def _token(self, refused: str | None = None) -> str:
        try:
            async with asyncio.timeout(TOKEN_PATIENCE_S):
                return await self._tokens.token(self._token_key, self._fetch_token, refused)
        except TimeoutError as error:
            raise ProviderUnavailable("no token in time") from error

    async def _send(
        self, operation: str, path: str, body: dict[str, Json], reference: str, token: str
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
            url=f"{self._base_url}{self._paths.token}",
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


def _read_registration(reply: Reply) -> Registration:
    answer = read_answer(reply)
    if not isinstance(answer, Fault):
        if text_of(answer.get("ResponseCode")) == DONE:
            return Registration.DONE
        raise ProviderUnavailable("an answer without the expected keys")
    if answer.code == SERVER_ERROR and REGISTERED_TEXT in answer.text:
        return Registration.STANDING
    if answer.is_configuration or answer.is_bad_field:
        raise ProviderRejected(answer.code, answer.message, FailureReason.CONFIGURATION)
    raise ProviderUnavailable(str(answer))
