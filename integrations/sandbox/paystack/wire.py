"""Paystack's webhooks as bytes: HMAC-SHA512 under the secret key.

Source: Paystack, section 7.
"""

import copy
import hashlib
import hmac
from typing import Any

from integrations.sandbox.accounts import Account
from integrations.sandbox.webhooks import compact_json


class PaystackWire:
    """Signs with the account's own key: there is no secret for webhooks alone."""

    def write(self, body: dict[str, Any]) -> bytes:
        return compact_json(body)

    def sign(self, account: Account, body: bytes) -> dict[str, str]:
        digest = hmac.new(account.id.encode(), body, hashlib.sha512).hexdigest()
        return {"x-paystack-signature": digest}

    def forge(self, body: dict[str, Any], way: str) -> dict[str, Any]:
        forged = copy.deepcopy(body)
        data = forged["data"]
        match way:
            case "tampered":
                # Amounts are numbers, but for refunds, where they are texts.
                data["amount"] = type(data["amount"])(int(data["amount"]) + 100)
                if "requested_amount" in data:
                    data["requested_amount"] = data["amount"]
            case "wrong_currency":
                data["currency"] = "KES" if data["currency"] == "USD" else "USD"
            case "contradicting" if forged["event"].startswith("charge."):
                is_paid = forged["event"] == "charge.success"
                forged["event"] = "charge.failed" if is_paid else "charge.success"
                data["status"] = "failed" if is_paid else "success"
            case "contradicting":
                forged["event"], data["status"] = "refund.failed", "failed"
        return forged
