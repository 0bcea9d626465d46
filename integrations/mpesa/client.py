"""Speaks Daraja for one short code of one tenant."""

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum, auto
from typing import Final, Literal
from uuid import uuid4

import httpx

from core.clock import Clock
from integrations.errors import FailureReason, ProviderRejected, ProviderUnavailable
from integrations.http import CallLog, Reply, ignore_call
from integrations.mpesa.calling import KEYS_REFUSED, Caller, KeysRefused
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
from integrations.mpesa.operating import MpesaOperator, Operator
from integrations.mpesa.proving import judge_proof
from integrations.mpesa.pulling import Puller
from integrations.mpesa.tokens import TokenStore
from integrations.protocol import (
    Accepted,
    Adapter,
    Answer,
    Intent,
    KeyProof,
    NotPaid,
    Paid,
    Question,
    RefundAnswer,
    RefundPending,
    RefundRequest,
    StillPending,
)
from integrations.redaction import redact_text
from integrations.wire_json import Json

OPERATOR_MISSING: Final = (
    "This channel has no operator name and password, or the platform has no M-Pesa certificate."
    " Reversals, statuses and balances need both."
)
RECEIPT_MISSING: Final = "M-Pesa has not told the receipt of this payment yet. Try again later."
TOLD_LATER: Final = "M-Pesa was asked, and answers later."
WHOLE_ONLY: Final = "M-Pesa gives whole payments back, never a part."


class Registration(Enum):
    """How a registration of C2B URLs ended."""

    DONE = auto()
    STANDING = auto()
    """URLs were registered before and still stand: compare them with ours."""


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
        operator: Operator | None = None,
    ) -> None:
        """`operator` is needed for reversals, statuses and balances; payments do without."""
        self._credentials = credentials
        self._short_code = short_code
        self._clock = clock
        self._paths = paths or MpesaPaths()
        self._caller = Caller(
            credentials,
            base_url=base_url,
            token_path=self._paths.token,
            http=http,
            tokens=tokens,
            clock=clock,
            log=log,
        )
        self._operator = operator

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
        reply = await self._caller.send(
            "stk_push", self._paths.stk_push, self._signed(details), intent.reference
        )
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
        reply = await self._caller.ask("c2b_register", self._paths.c2b_register, details, "c2b")
        return _read_registration(reply)

    async def refund_payment(self, refund: RefundRequest) -> RefundAnswer:
        """Give the whole payment back (Daraja: Reversal); the answer comes to `result_url`.

        Taken is all it says: RefundPending with M-Pesa's ConversationID. Sent again for a receipt
        that was reversed, the result is R000001.

        Raises:
            ProviderUnavailable: surely not taken; send again.
            ProviderRejected: refused for good, or only a part was asked for, which M-Pesa can't do.
            OutcomeUnknown: it was sent and no answer came.
        """
        _require_whole(refund)
        taken = await self.operator().reverse(
            require_receipt(refund), refund.amount, refund.reason, refund.result_url
        )
        return RefundPending(taken.conversation_id)

    async def query_refund(self, refund: RefundRequest, provider_reference: str | None) -> RefundAnswer:
        """Ask how a refund stands (Daraja: Transaction Status); the answer comes to `result_url`.

        [ASSUMED] A reversal is found by its ConversationID; where that was lost, the status of the
        receipt tells whether it was reversed.

        Raises:
            ProviderUnavailable: as every question; also where the reversal's id was lost, for nobody can
                say yet that there is one.
            ProviderRejected: refused for good.
        """
        operator, url = self.operator(), refund.result_url
        if provider_reference is not None:
            await operator.ask_status(url, conversation_id=provider_reference)
        else:
            await operator.ask_status(url, receipt=require_receipt(refund))
            raise ProviderUnavailable(TOLD_LATER)
        return RefundPending(provider_reference)

    def operator(self) -> MpesaOperator:
        """What asks in the operator's name.

        Raises:
            ProviderRejected: the channel has no operator, or the catalog no certificate.
        """
        if self._operator is None:
            raise ProviderRejected("operator", OPERATOR_MISSING, FailureReason.CONFIGURATION)
        return MpesaOperator(self._caller, self._operator, self._short_code, self._paths)

    def puller(self) -> Puller:
        """What lists the payments of the last 48 hours."""
        return Puller(self._caller, self._short_code, self._paths)

    async def _ask(self, provider_reference: str) -> Reply:
        details = {"CheckoutRequestID": provider_reference}
        # It ends in the payer's number, and what failed is written into logs and dead letters.
        reference = redact_text(provider_reference)
        return await self._caller.ask("stk_query", self._paths.stk_query, self._signed(details), reference)

    def _signed(self, details: Mapping[str, Json]) -> dict[str, Json]:
        return {**signed(self._short_code, self._credentials, self._clock()), **details}


def require_receipt(refund: RefundRequest) -> str:
    """Raises ProviderRejected where M-Pesa has not told the receipt yet."""
    if refund.receipt is None:
        raise ProviderRejected("receipt", RECEIPT_MISSING, FailureReason.CONFIGURATION)
    return refund.receipt


def _require_whole(refund: RefundRequest) -> None:
    if refund.amount != refund.payment.amount:
        raise ProviderRejected("partial_refund", WHOLE_ONLY, FailureReason.DECLINED)


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
