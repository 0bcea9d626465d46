"""Flutterwave's JSON: envelopes, transactions, refunds, and webhooks with a static secret.

Source: Flutterwave v3, sections 1 to 7.
"""

import copy
import json
from decimal import Decimal
from typing import Any, Final

from starlette.responses import Response

from integrations.sandbox.accounts import Account
from integrations.sandbox.flutterwave.rows import FAILED, SUCCESSFUL, Refund, Transaction

GENERAL: Final = "An error occurred. Please contact support"
UNAUTHORIZED: Final = "Authorization required"
BAD_KEY: Final = "Invalid authorization key"
ACCOUNT_ID: Final = 1
OTHER_AMOUNT: Final = Decimal(1)
AMOUNTS: Final = ("amount", "charged_amount", "app_fee", "AmountRefunded")


class Refused(Exception):
    """Ends a request with Flutterwave's envelope."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def response(self) -> Response:
        return envelope(None, self.message, self.status)


def envelope(data: object, message: str, status: int = 200, meta: dict[str, Any] | None = None) -> Response:
    """Success for a status of 2xx, an error for any other."""
    answer = {"status": "success" if status < 300 else "error", "message": message, "data": data}  # noqa: PLR2004 - HTTP's numbers of success
    if meta is not None:
        answer["meta"] = meta
    return Response(written(answer), status, media_type="application/json")


def number(amount: str) -> Decimal:
    """Without the zeros that mean nothing: 1500, not 1500.00."""
    exact = Decimal(amount)
    whole = exact.to_integral_value()
    return whole if exact == whole else exact.normalize()


def transaction_json(row: Transaction, status: str) -> dict[str, Any]:
    """As verify, lists and charges tell it."""
    amount = number(row.amount)
    return {
        "id": int(row.id),
        "tx_ref": row.tx_ref,
        "flw_ref": f"FLW-REF-{row.id}",
        "amount": amount,
        "currency": row.currency,
        "charged_amount": amount,
        "app_fee": number(str(row.fee)),
        "merchant_fee": 0,
        "processor_response": row.said,
        "auth_model": "LIPA_MPESA" if row.payment_type == "mpesa" else "VBVSECURECODE",
        "narration": "Hazina's sandbox",
        "status": status,
        "payment_type": row.payment_type,
        "created_at": row.created_at,
        "account_id": ACCOUNT_ID,
        "customer": {"id": 11, **row.customer},
    }


def verified_json(row: Transaction) -> dict[str, Any]:
    told = transaction_json(row, row.told_status)
    return {**told, "meta": row.meta or None, "amount_settled": Decimal(row.amount) - row.fee}


def charged_json(row: Transaction) -> dict[str, Any]:
    """A fresh charge: "Successful" only says that the prompt went out."""
    fresh = transaction_json(row, "pending")
    return {**fresh, "processor_response": "Successful", "auth_url": "N/A", "fraud_status": "ok"}


def refund_json(row: Refund) -> dict[str, Any]:
    """As the POST tells it."""
    disbursed = row.way.details.get("disburse_status")
    meta: object = {"source": "availablebalance"}
    if disbursed:
        # A text that holds JSON, as some clients have seen.
        meta = json.dumps({"source": "availablebalance", "disburse_status": disbursed})
    return {
        "id": int(row.id),
        "account_id": ACCOUNT_ID,
        "tx_id": int(row.transaction_id),
        "flw_ref": f"FLW-REF-{row.transaction_id}",
        "wallet_id": 2,
        "amount_refunded": number(row.amount),
        "status": row.status,
        "destination": "payment_source",
        "meta": meta,
        "comments": row.comments,
        "created_at": row.created_at,
    }


def read_refund_json(row: Refund) -> dict[str, Any]:
    """As a GET tells it: in the spelling that was planned, and without the note where that was planned."""
    told = refund_json(row)
    if row.way.details.get("is_capitalised"):
        spelled = {"tx_id": "TransactionId", "amount_refunded": "AmountRefunded", "flw_ref": "FlwRef"}
        told = {spelled.get(name, name): value for name, value in told.items()}
    if row.way.details.get("has_no_comment"):
        del told["comments"]
    return told


def charge_event(row: Transaction) -> dict[str, Any]:
    """Its amounts are text until they are sent, since the journal keeps it."""
    data = {**transaction_json(row, row.status), "device_fingerprint": "N/A", "ip": "127.0.0.1"}
    data |= {name: str(data[name]) for name in AMOUNTS if name in data}
    return {
        "event": "charge.completed",
        "data": data,
        "meta_data": row.meta,
        "event.type": f"{row.payment_type.upper()}_TRANSACTION",
    }


def refund_event(row: Refund) -> dict[str, Any]:
    return {
        "event": "refund.completed",
        "data": {
            "id": int(row.id),
            "TransactionId": int(row.transaction_id),
            "FlwRef": f"FLW-REF-{row.transaction_id}",
            "AmountRefunded": row.amount,
            "status": row.status,
        },
    }


class HashWire:
    """A `webhooks.Wire`: the secret stands in the header as it is, and signs nothing."""

    def write(self, body: dict[str, Any]) -> bytes:
        data = {name: number(value) if name in AMOUNTS else value for name, value in body["data"].items()}
        return written({**body, "data": data}).encode()

    def sign(self, account: Account, body: bytes) -> dict[str, str]:
        # There is no signature to spoil: a bad one is another secret.
        is_spoiled = body.endswith(b" ")
        return {"verif-hash": f"not-{account.webhook_secret}" if is_spoiled else account.webhook_secret}

    def forge(self, body: dict[str, Any], way: str) -> dict[str, Any]:
        forged = copy.deepcopy(body)
        data = forged["data"]
        if way == "contradicting":
            data["status"] = FAILED if data["status"] == SUCCESSFUL else SUCCESSFUL
        elif way == "wrong_currency" and "currency" in data:
            data["currency"] = "USD" if data["currency"] != "USD" else "KES"
        elif "amount" in data:
            data["amount"] = str(Decimal(data["amount"]) + OTHER_AMOUNT)
        return forged


def written(value: object) -> str:
    """JSON with every Decimal digit by digit: no float ever holds money."""
    match value:
        case dict():
            return f"{{{','.join(f'{json.dumps(name)}:{written(item)}' for name, item in value.items())}}}"
        case list():
            return f"[{','.join(written(item) for item in value)}]"
        case Decimal():
            return f"{value:f}"
    return json.dumps(value)
