"""What M-Pesa answers later to an operator's requests: bytes to typed results.

Nothing is signed; the caller has matched the path's secrets before it reads a body.

Source: M-Pesa Daraja, sections 4, 6 to 8 and 11.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from core.currency import Currency
from core.errors import InvalidInput
from core.money import Money
from integrations.errors import BadMessage
from integrations.mpesa.messages import text_of
from integrations.mpesa.operator_codes import Meaning, Verdict, meaning_of
from integrations.wire_json import Json, read_object, require_object

RESULT_ANSWER: Final[dict[str, str | int]] = {"ResultCode": 0, "ResultDesc": "Accepted"}
"""[ASSUMED] What we answer is ignored."""
COMPLETED: Final = "completed"
REVERSED: Final = frozenset({"reversed"})
"""[ASSUMED] How the status of a receipt that was given back reads."""
NEVER_PAID: Final = frozenset({"failed", "cancelled", "declined", "expired"})
"""[ASSUMED] Words of transactions that came to nothing; an unknown word is no answer."""
PARAMETERS_MAX: Final = 100
ACCOUNTS_MAX: Final = 20

_CODE: Final = re.compile(r"[A-Za-z0-9_.]{1,40}")
_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{0,100}")
_RECEIPT: Final = re.compile(r"[A-Z0-9]{6,32}")
_AMOUNT: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class OperatorResult:
    """One asynchronous result, of whatever request."""

    code: str
    message: str
    """M-Pesa's own words."""
    conversation_id: str
    originator_conversation_id: str
    receipt: str | None
    """`TransactionID`: of a reversal its own receipt; a failure may carry a filler."""
    parameters: Mapping[str, Sequence[str]]
    """By name in lower case without spaces; a name may come twice, and a value may be empty."""

    @property
    def meaning(self) -> Meaning:
        return meaning_of(self.code)

    @property
    def is_done(self) -> bool:
        return self.meaning.verdict is Verdict.DONE

    @property
    def told(self) -> str:
        """What to show the tenant."""
        return self.meaning.message or self.message or f"M-Pesa answered {self.code}."

    def first(self, name: str) -> str:
        """The first value that is not empty; empty where there is none."""
        return next((value for value in self.parameters.get(plain_key(name), ()) if value), "")

    def amount(self, name: str = "Amount") -> Money | None:
        """An amount in shillings, such as `2500` or `2500.00`."""
        return _shillings(self.first(name))


@dataclass(frozen=True, slots=True)
class Balance:
    """One account of a short code."""

    name: str
    """`Working Account`, `Utility Account`."""
    current: Money
    available: Money
    """Order of the two inferred from samples."""


@dataclass(frozen=True, slots=True)
class TransactionStatus:
    """How a transaction stands, as a status query tells."""

    is_completed: bool
    is_reversed: bool
    is_void: bool
    """It came to nothing for good. Where none of the three holds, it is still unknown."""
    receipt: str | None
    amount: Money | None
    conversation_ids: Sequence[str]
    """Ids of the request that made the transaction, ours and M-Pesa's."""


def read_result(body: bytes) -> OperatorResult:
    """Read the body of a `ResultURL`.

    Raises:
        BadMessage: it is no result.
    """
    told = require_object(read_object(body).get("Result"))
    code = text_of(told.get("ResultCode"))
    if _CODE.fullmatch(code) is None:
        raise BadMessage("A result without a code.")
    receipt = text_of(told.get("TransactionID"))
    return OperatorResult(
        code=code,
        message=text_of(told.get("ResultDesc")),
        conversation_id=_id(told.get("ConversationID")),
        originator_conversation_id=_id(told.get("OriginatorConversationID")),
        receipt=receipt if _RECEIPT.fullmatch(receipt) else None,
        parameters=_parameters(told.get("ResultParameters")),
    )


def read_status(result: OperatorResult) -> TransactionStatus:
    """What a status query found; the result's own code only says that the query worked."""
    word = result.first("TransactionStatus").lower()
    receipt = result.first("ReceiptNo")
    ids = [
        *result.parameters.get("originatorconversationid", ()),
        *result.parameters.get("conversationid", ()),
    ]
    return TransactionStatus(
        is_completed=word == COMPLETED,
        is_reversed=word in REVERSED,
        is_void=word in NEVER_PAID,
        receipt=receipt if _RECEIPT.fullmatch(receipt) else None,
        amount=result.amount(),
        conversation_ids=[id_ for id_ in ids if id_],
    )


def read_balances(result: OperatorResult) -> list[Balance]:
    """The accounts of a balance result; an account that can't be read is left out.

    Each is `name|currency|current|available|reserved|uncleared`, joined by `&`.
    """
    found = []
    for account in result.first("AccountBalance").split("&")[:ACCOUNTS_MAX]:
        parts = [part.strip() for part in account.split("|")]
        if len(parts) >= 4 and parts[0] and parts[1] == Currency.KES:  # noqa: PLR2004 - up to `available`
            current, available = _shillings(parts[2]), _shillings(parts[3])
            if current is not None and available is not None:
                found.append(Balance(parts[0], current, available))
    return found


def plain_key(name: str) -> str:
    """A parameter's name as it is compared: some payloads write it with spaces or other capitals."""
    return "".join(name.split()).lower()


def _parameters(given: Json) -> dict[str, list[str]]:
    """The multi-map of a list of `{Key, Value}`, or of one such object in its place."""
    inner = given.get("ResultParameter") if isinstance(given, dict) else None
    entries = inner if isinstance(inner, list) else [inner]
    found: dict[str, list[str]] = {}
    for entry in entries[:PARAMETERS_MAX]:
        if isinstance(entry, dict):
            found.setdefault(plain_key(text_of(entry.get("Key"))), []).append(_value(entry.get("Value")))
    return found


def _value(value: Json) -> str:
    # Balances of several accounts are longer than any other value.
    if isinstance(value, str):
        return "".join(sign for sign in value[:2_000] if sign.isprintable()).strip()
    return text_of(value)


def _shillings(text: str) -> Money | None:
    if _AMOUNT.fullmatch(text) is None:
        return None
    try:
        return Money.of_major(Decimal(text), Currency.KES)
    except InvalidInput:
        return None


def _id(value: Json) -> str:
    text = text_of(value)
    return text if _ID.fullmatch(text) else ""
