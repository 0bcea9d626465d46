"""The bodies M-Pesa sends to ResultURL and QueueTimeOutURL, in every shape the portal shows.

Source: M-Pesa Daraja, sections 4, 6 to 8.
"""

from datetime import datetime
from typing import Any, Final

from integrations.sandbox.daraja_plans import description_of
from integrations.sandbox.daraja_records import OperatorRequest

FILLER: Final = "TKX0000000"
"""What a failure carries in place of a receipt."""
PLAIN_STAMP: Final = "%Y%m%d%H%M%S"
DOTTED_STAMP: Final = "%d.%m.%Y %H:%M:%S"

Pair = tuple[str, object]


def result_body(request: OperatorRequest, code: str, amount: int) -> dict[str, Any]:
    """A result; a failure names a time at most."""
    told: dict[str, Any] = {
        "ResultType": 0,
        "ResultCode": int(code) if code.isdigit() else code,
        "ResultDesc": description_of(code),
        "OriginatorConversationID": request.originator_conversation_id,
        "ConversationID": request.id,
        "TransactionID": request.receipt if code == "0" and request.receipt else FILLER,
        "ReferenceData": {"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": request.timeout_url}},
    }
    if request.operation == "account_balance":
        told["ResultType"], told["ResultCode"] = "0", code
    pairs = _PARAMETERS[request.operation](request, amount) if code == "0" else []
    if pairs:
        told["ResultParameters"] = {"ResultParameter": _shaped(pairs, request.way.shape)}
    return {"Result": told}


def timeout_body(request: OperatorRequest) -> dict[str, Any]:
    """[ASSUMED] The envelope of a result without parameters, of type 1."""
    return {
        "Result": {
            "ResultType": 1,
            "ResultCode": 1,
            "ResultDesc": "The request waited too long in the queue.",
            "OriginatorConversationID": request.originator_conversation_id,
            "ConversationID": request.id,
            "TransactionID": FILLER,
        }
    }


def _shaped(pairs: list[Pair], shape: str) -> list[dict[str, Any]] | dict[str, Any]:
    if shape == "texts":
        pairs = [(key, str(value)) for key, value in pairs]
    entries: list[dict[str, Any]] = [{"Key": key, "Value": value} for key, value in pairs]
    if shape == "spaced":
        spaced = [{"Key": _words(entry["Key"]), "Value": entry["Value"]} for entry in reversed(entries)]
        return [{"Key": "Occasion"}, *spaced]
    if shape == "single":
        return entries[0]
    return entries


def _words(key: str) -> str:
    """`TransactionStatus` as `Transaction Status`."""
    return "".join(f" {sign}" if sign.isupper() and index else sign for index, sign in enumerate(key))


def _reversal(request: OperatorRequest, amount: int) -> list[Pair]:
    return [
        ("OriginalTransactionID", request.subject),
        ("Amount", amount),
        ("Charge", 0),
        ("TransCompletedTime", int(request.acted_at)),
        ("DebitAccountBalance", "Utility Account|KES|7610.00|7610.00|0.00|0.00"),
        ("CreditPartyPublicName", "254700000001 - JANE DOE"),
        ("DebitPartyPublicName", f"{request.short_code} - Shop"),
    ]


def _status(request: OperatorRequest, amount: int) -> list[Pair]:
    found = request.found
    if request.way.telling == "tampered":
        found = {**found, "amount": "1.00"}
    return [
        ("DebitPartyName", found.get("debit", "254700000001 - Jane Doe")),
        ("CreditPartyName", f"{request.short_code} - Shop"),
        ("OriginatorConversationID", found.get("originator_conversation_id", "")),
        ("InitiatedTime", found.get("at", request.acted_at)),
        ("TransactionStatus", request.way.word or found["status"]),
        ("FinalisedTime", found.get("at", request.acted_at)),
        ("Amount", found.get("amount", str(amount))),
        ("ConversationID", found.get("conversation_id", "")),
        ("ReceiptNo", found.get("receipt", "")),
    ]


def _balance(request: OperatorRequest, _amount: int) -> list[Pair]:
    working = request.found["working"]
    accounts = (
        f"Working Account|KES|{working}|{working}|0.00|0.00&Utility Account|KES|500.00|500.00|0.00|0.00"
    )
    return [("AccountBalance", accounts), ("BOCompletedTime", int(request.acted_at))]


def _payout(request: OperatorRequest, amount: int) -> list[Pair]:
    at = datetime.strptime(request.acted_at, PLAIN_STAMP).strftime(DOTTED_STAMP)  # noqa: DTZ007 - EAT, as sent
    return [
        ("TransactionAmount", amount),
        ("TransactionReceipt", request.receipt),
        ("ReceiverPartyPublicName", f"{request.subject} - JANE DOE"),
        ("TransactionCompletedDateTime", at),
        ("B2CUtilityAccountAvailableFunds", 100_000.50),
        ("B2CWorkingAccountAvailableFunds", 50_000.00),
        ("B2CRecipientIsRegisteredCustomer", "Y"),
        ("B2CChargesPaidAccountAvailableFunds", -12.00),
    ]


_PARAMETERS: Final = {
    "reversal": _reversal,
    "transaction_status": _status,
    "account_balance": _balance,
    "b2c": _payout,
}
