"""Daraja's endpoints of an operator: reversal, transaction status, account balance and B2C.

Source: M-Pesa Daraja, sections 4, 6 to 8.
"""

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from integrations.sandbox import checks
from integrations.sandbox.apps import App, KnownShortCode
from integrations.sandbox.book import EAST_AFRICA_TIME
from integrations.sandbox.daraja_keys import opened
from integrations.sandbox.daraja_plans import OperatorOutcome, OperatorPlans
from integrations.sandbox.daraja_records import OperatorRequest
from integrations.sandbox.operators import Operators
from integrations.sandbox.refusals import Refused, bad_field, troubled
from integrations.sandbox.settings import SandboxSettings

PAYOUT_LEAST: Final = 10
LOCKED_AFTER: Final = 3
WRONG_CREDENTIAL: Final = "2001"
NOT_ALLOWED: Final = "21"
LOCKED: Final = "8006"

_NAME: Final = re.compile(r"[^\s]{1,100}")
_RECEIPT: Final = re.compile(r"[A-Z0-9]{6,32}")
_CONVERSATION: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_REMARKS: Final = re.compile(r"[^@#&]{2,100}")
_NOTE: Final = re.compile(r"[^@#&]{0,100}")
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9+/=]{100,2000}")

Answer = Callable[[dict[str, Any], App], Awaitable[Response]]


class DarajaOperator:
    """The endpoints; what comes of a request is `operators`' to carry out."""

    def __init__(self, settings: SandboxSettings, operators: Operators) -> None:
        self._settings = settings
        self.plans = OperatorPlans()
        self.operators = operators
        self._wrong: dict[str, int] = {}

    def posts(self) -> dict[str, Answer]:
        return {
            "/mpesa/reversal/v1/request": self.reverse,
            "/mpesa/transactionstatus/v1/query": self.status,
            "/mpesa/accountbalance/v1/query": self.balance,
            "/mpesa/b2c/v3/paymentrequest": self.pay_out,
        }

    def reset(self) -> None:
        self._wrong.clear()
        self.plans.reset()
        self.operators.reset()

    async def reverse(self, body: dict[str, Any], app: App) -> Response:
        _require_command(body, "TransactionReversal")
        known = _own_code(body, app, "ReceiverParty")
        if str(body.get("RecieverIdentifierType")) != "11":
            raise bad_field("RecieverIdentifierType")
        receipt = checks.require(body, "TransactionID", _RECEIPT)
        amount = checks.require_amount(body)
        checks.require(body, "Remarks", _REMARKS)
        return self._take("reversal", body, known, subject=receipt, amount=amount)

    async def status(self, body: dict[str, Any], app: App) -> Response:
        _require_command(body, "TransactionStatusQuery")
        known = _own_code(body, app, "PartyA")
        _require_type(body)
        if ("TransactionID" in body) == ("OriginalConversationID" in body):
            raise bad_field("TransactionID")
        if "TransactionID" in body:
            subject = checks.require(body, "TransactionID", _RECEIPT)
        else:
            subject = checks.require(body, "OriginalConversationID", _CONVERSATION)
        checks.require({"Occasion": "", **body}, "Occasion", _NOTE)
        checks.require(body, "Remarks", _NOTE)
        return self._take("transaction_status", body, known, subject=subject)

    async def balance(self, body: dict[str, Any], app: App) -> Response:
        _require_command(body, "AccountBalance")
        known = _own_code(body, app, "PartyA")
        _require_type(body)
        checks.require(body, "Remarks", _NOTE)
        return self._take("account_balance", body, known, subject=known.code)

    async def pay_out(self, body: dict[str, Any], app: App) -> Response:
        if body.get("CommandID") not in ("BusinessPayment", "SalaryPayment", "PromotionPayment"):
            raise bad_field("CommandID")
        known = _own_code(body, app, "PartyA")
        amount = checks.require_amount(body)
        if amount < PAYOUT_LEAST:
            raise bad_field("Amount")
        checks.require(body, "Remarks", _REMARKS)
        checks.require({"Occassion": "", **body}, "Occassion", _NOTE)
        own_id = checks.require(body, "OriginatorConversationID", _CONVERSATION)
        if self.operators.by_originator(own_id) is not None:
            raise Refused(500, "500.002.1001", "Duplicate OriginatorConversationID.")
        payee = checks.require_phone(body, "PartyB")
        return self._take("b2c", body, known, subject=payee, amount=amount, own_id=own_id)

    def _take(
        self,
        operation: str,
        body: dict[str, Any],
        known: KnownShortCode,
        *,
        subject: str,
        amount: int = 0,
        own_id: str = "",
    ) -> Response:
        refusal = self._judge_operator(body, known, "InitiatorName" if operation == "b2c" else "Initiator")
        now = self._settings.clock()
        outcome = self.plans.take(operation, known.code, subject, *self.operators.about(subject))
        serial = f"{secrets.randbelow(10**12):012}"
        request = OperatorRequest(
            id=f"AG_{now.astimezone(EAST_AFRICA_TIME):%Y%m%d}_{serial}",
            originator_conversation_id=own_id or f"{serial[:5]}-{serial[5:]}-1",
            operation=operation,
            short_code=known.code,
            result_url=checks.require_url(body, "ResultURL"),
            timeout_url=checks.require_url(body, "QueueTimeOutURL"),
            amount=amount,
            subject=subject,
            taken_at=now.isoformat(),
            outcome=asdict(outcome),
        )
        if refusal:
            request.outcome["result_code"] = refusal
        if outcome.is_taken:
            self.operators.take(request)
        return self._answer(request, outcome)

    def _judge_operator(self, body: dict[str, Any], known: KnownShortCode, field: str) -> str:
        """The result code of an operator that is not accepted; it shows in the result only."""
        name = checks.require(body, field, _NAME)
        credential = checks.require(body, "SecurityCredential", _CREDENTIAL)
        if self._wrong.get(known.code, 0) >= LOCKED_AFTER:
            return LOCKED
        if name != known.initiator:
            return NOT_ALLOWED
        if opened(credential) != known.initiator_password:
            self._wrong[known.code] = self._wrong.get(known.code, 0) + 1
            return WRONG_CREDENTIAL
        self._wrong.pop(known.code, None)
        return ""

    def _answer(self, request: OperatorRequest, outcome: OperatorOutcome) -> Response:
        refusal = Refused(outcome.status, outcome.error_code, outcome.error_message)
        trouble = troubled(outcome.answer, refusal, self._settings.hang_s)
        if trouble is not None:
            return trouble
        if outcome.answer == "declined":
            return JSONResponse({"ResponseCode": "1", "ResponseDescription": "The request was not accepted"})
        return JSONResponse(
            {
                "ConversationID": request.id,
                "OriginatorConversationID": request.originator_conversation_id,
                "ResponseCode": "0",
                "ResponseDescription": "Accept the service request successfully.",
            }
        )


def _require_command(body: dict[str, Any], command: str) -> None:
    if body.get("CommandID") != command:
        raise bad_field("CommandID")


def _require_type(body: dict[str, Any]) -> None:
    if str(body.get("IdentifierType")) not in ("1", "2", "4"):
        raise bad_field("IdentifierType")


def _own_code(body: dict[str, Any], app: App, field: str) -> KnownShortCode:
    code = checks.require_code(body, field)
    for known in app.short_codes.values():
        if code in (known.code, known.payee):
            return known
    raise bad_field(field)
