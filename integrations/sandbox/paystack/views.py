"""The Paystack sandbox's rows as Paystack writes them.

Source: Paystack, sections 2 to 7.
"""

import json
from typing import Any, Final

from integrations.sandbox.paystack.rows import Dispute, Refund, Transaction

STAMP_DIGITS: Final = 23


def stamp(iso: str | None) -> str | None:
    """`2026-11-21T09:15:02.000Z`."""
    return None if iso is None else f"{iso[:STAMP_DIGITS]}Z"


def verified(row: Transaction) -> dict[str, Any]:
    """The `data` of a verification, with what was planned to be told otherwise."""
    return transaction(row, row.way.details.get("told", {}) if row.status == "success" else {})


def transaction(row: Transaction, told: dict[str, Any]) -> dict[str, Any]:
    """The whole object; `told` changes parts of it."""
    requested = row.amount + told.get("requested_by", 0)
    data: dict[str, Any] = {
        "id": str(row.number) if told.get("id") == "text" else row.number,
        "domain": told.get("domain", row.domain),
        "status": row.status,
        "reference": told.get("reference", row.reference),
        "receipt_number": None,
        "amount": row.amount + told.get("amount_by", 0),
        "requested_amount": told.get("requested_amount", requested),
        "message": None,
        "gateway_response": row.gateway_response,
        "paid_at": stamp(row.paid_at),
        "created_at": stamp(row.created_at),
        "channel": row.channel,
        "currency": told.get("currency", row.currency),
        "ip_address": "127.0.0.1",
        "metadata": _metadata(row, told),
        "fees": row.fees if row.paid_at else None,
        "authorization": _authorization(row),
        "customer": {"id": 111, "email": row.email, "customer_code": "CUS_aaaa1111", "phone": None},
    }
    return data


def webhook_of(row: Transaction) -> dict[str, Any]:
    """`charge.success`, or the rare `charge.failed`; what is planned to differ is left to questions."""
    event = "charge.success" if row.paid_at else "charge.failed"
    data = transaction(row, {})
    status = "success" if row.paid_at else "failed"
    kept = {name: data[name] for name in WEBHOOK_FIELDS}
    return {"event": event, "data": {**kept, "status": status, "customer": {"email": row.email}}}


WEBHOOK_FIELDS: Final = (
    *("id", "domain", "reference", "amount", "requested_amount", "gateway_response", "paid_at"),
    *("channel", "currency", "metadata", "fees"),
)


def charge(row: Transaction) -> dict[str, Any]:
    """The `data` of a charge: what the payer is to do, or how it ended."""
    if row.status == "success":
        return transaction(row, {})
    if row.status == "failed":
        return {"reference": row.reference, "status": "failed", "message": row.gateway_response}
    return asked(row)


def asked(row: Transaction) -> dict[str, Any]:
    """What the payer is to do."""
    step: dict[str, Any] = {
        "reference": row.reference,
        "status": row.steps[0] if row.steps else "pay_offline",
    }
    if step["status"] == "open_url":
        return {**step, "url": row.page_url}
    if row.steps:
        return {**step, "display_text": "Please go on"}
    step["status"] = row.way.details.get("charge_status", "pay_offline")
    told = {**step, "display_text": "Please complete authorization process on your mobile phone"}
    if row.wallet.get("provider") == "mpesa_offline":
        return {**told, "account_number": "4000001", "account_reference": f"{row.number}"[-8:]}
    return told


def page(row: Transaction) -> dict[str, Any]:
    return {
        "authorization_url": row.page_url,
        "access_code": row.access_code,
        "reference": row.reference,
    }


def refund(row: Refund, of: Transaction) -> dict[str, Any]:
    """As `GET /refund/{id}` and the list tell it: the transaction is its number."""
    return {
        "id": int(row.id),
        "integration": 100001,
        "domain": of.domain,
        "transaction": of.number,
        "dispute": None,
        "status": row.status,
        "amount": row.amount,
        "currency": row.currency,
        "deducted_amount": row.amount if row.status == "processed" else 0,
        "fully_deducted": row.status == "processed",
        "channel": None,
        "merchant_note": row.merchant_note,
        "customer_note": row.customer_note,
        "expected_at": stamp(row.created_at),
        "createdAt": stamp(row.created_at),
    }


def ordered_refund(row: Refund, of: Transaction) -> dict[str, Any]:
    """As `POST /refund` tells it: the transaction is an object."""
    named = {"id": of.number, "reference": of.reference, "amount": of.amount}
    return {**refund(row, of), "transaction": named}


def refund_webhook(row: Refund, of: Transaction) -> dict[str, Any]:
    """The amount is a text, and the refund's id is told only when it needs attention."""
    data: dict[str, Any] = {
        "status": row.status,
        "transaction_reference": of.reference,
        "refund_reference": row.refund_reference,
        "amount": str(row.amount),
        "currency": row.currency,
        "processor": "mpesa",
        "domain": of.domain,
        "customer": {"email": of.email},
    }
    if row.status == "needs-attention":
        data["id"] = row.id
    return {"event": f"refund.{row.status}", "data": data}


def dispute_webhook(row: Dispute, of: Transaction, step: str) -> dict[str, Any]:
    return {
        "event": f"charge.dispute.{step}",
        "data": {
            "id": int(row.id),
            "refund_amount": row.amount,
            "currency": row.currency,
            "status": row.status,
            "resolution": row.resolution,
            "domain": of.domain,
            "category": row.category,
            "transaction": {
                "id": of.number,
                "reference": of.reference,
                "amount": of.amount,
                "currency": of.currency,
            },
            "dueAt": stamp(row.due_at),
            "createdAt": stamp(row.created_at),
        },
    }


def _metadata(row: Transaction, told: dict[str, Any]) -> Any:  # noqa: ANN401 - Paystack writes it in five shapes
    metadata = row.metadata
    for name in ("tenant", "payment_id"):
        if name in told and isinstance(metadata, dict):
            metadata = {**metadata, name: told[name]}
    if "metadata" not in told:
        return "" if metadata is None else metadata
    return json.dumps(metadata) if told["metadata"] == "text" else told["metadata"]


def _authorization(row: Transaction) -> dict[str, Any]:
    if row.paid_at is None:
        return {}
    return {
        "authorization_code": "AUTH_aaaa1111",
        "channel": row.channel,
        "bank": "M-PESA" if row.channel == "mobile_money" else "TEST BANK",
        "last4": "X001",
        "country_code": "KE",
        "reusable": False,
        "account_name": None,
    }
