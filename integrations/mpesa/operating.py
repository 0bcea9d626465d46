"""What a short code's API operator asks of Daraja: every answer comes later, to a URL of its own.

Source: M-Pesa Daraja, sections 6 to 8.
"""

from dataclasses import dataclass, field
from typing import Final

from core.money import Money
from integrations.account import NotConfigured
from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.http import Reply
from integrations.mpesa.calling import Caller
from integrations.mpesa.codes import DONE, Fault
from integrations.mpesa.credential import security_credential
from integrations.mpesa.messages import (
    MpesaPaths,
    ShortCode,
    read_answer,
    require_amount,
    require_url,
    text_of,
)
from integrations.mpesa.operator_codes import raise_for_request
from integrations.wire_json import Json

SHORT_CODE_TYPE: Final = "4"
REVERSAL_TYPE: Final = "11"
RESULT_MARK: Final = "r"
"""After the item of a request's URL: its result. A prompt's callback has none."""
TIMEOUT_MARK: Final = "t"
"""After the item: M-Pesa gave up waiting."""
REMARKS_CHARACTERS: Final = (2, 100)


@dataclass(frozen=True, slots=True)
class Operator:
    """An API operator of the M-Pesa organisation portal, and the certificate that seals its password."""

    name: str
    password: str = field(repr=False)
    certificate: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """M-Pesa took a request; what becomes of it is told later, under either id."""

    conversation_id: str
    originator_conversation_id: str


class MpesaOperator:
    """Asks in the name of one short code's operator.

    Each method needs a URL of this request alone; `result_url` and `timeout_url` make two of it.
    """

    def __init__(self, caller: Caller, operator: Operator, short_code: ShortCode, paths: MpesaPaths) -> None:
        self._caller = caller
        self._operator = operator
        self._short_code = short_code
        self._paths = paths

    async def reverse(self, receipt: str, amount: Money, remarks: str, url: str) -> Taken:
        """Give the whole of a collected payment back (Daraja: Reversal); once per receipt.

        Raises:
            ProviderUnavailable: surely not taken.
            ProviderRejected: refused for good.
            OutcomeUnknown: it was sent and no answer came: ask for the receipt's status.
        """
        details: dict[str, Json] = {
            "CommandID": "TransactionReversal",
            "TransactionID": receipt,
            "Amount": require_amount(amount),
            "ReceiverParty": self._short_code.business_short_code,
            # The misspelled field is Daraja's.
            "RecieverIdentifierType": REVERSAL_TYPE,
            "Remarks": plain_remarks(remarks),
        }
        body = {**self._signed(url), **details}
        return _read_taken(await self._caller.send("reversal", self._paths.reversal, body, receipt), receipt)

    async def ask_status(
        self, url: str, *, receipt: str | None = None, conversation_id: str | None = None
    ) -> Taken:
        """Ask how a transaction stands, by its receipt or by the id of the request that made it.

        Raises:
            ProviderUnavailable: not asked, or no answer; ask again.
            ProviderRejected: refused for good.
        """
        details: dict[str, Json] = {
            "CommandID": "TransactionStatusQuery",
            "PartyA": self._short_code.business_short_code,
            "IdentifierType": SHORT_CODE_TYPE,
            "Remarks": "Status",
        }
        if receipt is not None:
            details["TransactionID"] = receipt
        else:
            details["OriginalConversationID"] = conversation_id
        return await self._ask("transaction_status", self._paths.transaction_status, details, url)

    async def ask_balance(self, url: str) -> Taken:
        """Ask for the balances of the short code: full proof of keys, operator and short code.

        Raises:
            As `ask_status`.
        """
        details: dict[str, Json] = {
            "CommandID": "AccountBalance",
            "PartyA": self._short_code.business_short_code,
            "IdentifierType": SHORT_CODE_TYPE,
            "Remarks": "Balance",
        }
        return await self._ask("account_balance", self._paths.account_balance, details, url)

    async def _ask(self, operation: str, path: str, details: dict[str, Json], url: str) -> Taken:
        body = {**self._signed(url), **details}
        try:
            return _read_taken(await self._caller.ask(operation, path, body, operation), operation)
        except OutcomeUnknown as error:
            # A question that was lost has changed nothing.
            raise ProviderUnavailable(error.message) from error

    def _signed(self, url: str) -> dict[str, Json]:
        try:
            credential = security_credential(self._operator.password, self._operator.certificate)
        except NotConfigured as lack:
            raise ProviderRejected("certificate", str(lack), FailureReason.CONFIGURATION) from lack
        return {
            "Initiator": self._operator.name,
            "SecurityCredential": credential,
            "ResultURL": result_url(require_url(url)),
            "QueueTimeOutURL": timeout_url(url),
        }


def result_url(url: str) -> str:
    """Where M-Pesa tells the result of a request, told apart from a prompt's callback."""
    return f"{url}{RESULT_MARK}"


def timeout_url(url: str) -> str:
    """Where M-Pesa tells that a request waited too long: as secret as the result's, and another."""
    return f"{url}{TIMEOUT_MARK}"


def plain_remarks(text: str) -> str:
    """2 to 100 plain characters: some signs make Daraja refuse the whole request."""
    least, most = REMARKS_CHARACTERS
    plain = "".join(sign if sign.isascii() and sign.isalnum() else " " for sign in text)
    short = " ".join(plain.split())[:most].strip()
    return short if len(short) >= least else "Refund"


def _read_taken(reply: Reply, reference: str) -> Taken:
    answer = read_answer(reply)
    if isinstance(answer, Fault):
        raise_for_request(answer, reference)
    code = text_of(answer.get("ResponseCode"))
    if code and code != DONE:
        raise ProviderRejected(code, text_of(answer.get("ResponseDescription")), FailureReason.DECLINED)
    conversation = text_of(answer.get("ConversationID"))
    originator = text_of(answer.get("OriginatorConversationID"))
    if code != DONE or not conversation or not originator:
        raise OutcomeUnknown(reference, "an answer without the expected keys")
    return Taken(conversation, originator)
