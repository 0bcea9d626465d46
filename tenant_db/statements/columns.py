"""The columns of providers' exports, and the words in them. The one place to correct.

ASSUMED marks what no provider document states: it was put together from exports that people have
published. Names are compared without case, outer spaces and a final full stop.
"""

from collections.abc import Mapping
from typing import Final

from tenant_db.statements.rules import LineKind

MPESA_TIME_ZONE: Final = "Africa/Nairobi"
"""M-Pesa's times carry no zone (Daraja sheet, section 1)."""
MPESA_CURRENCY: Final = "KES"
MPESA_TIMES: Final = ("%d-%m-%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d-%m-%Y %H:%M")
"""ASSUMED: the organisation portal writes day first; its spreadsheet exports the year."""

MPESA_RECEIPT: Final = "receipt no"
MPESA_COMPLETED: Final = "completion time"
MPESA_DETAILS: Final = "details"
MPESA_STATUS: Final = "transaction status"
MPESA_PAID_IN: Final = "paid in"
MPESA_WITHDRAWN: Final = "withdrawn"
MPESA_PARTY: Final = "other party info"
MPESA_REASON: Final = "reason type"
MPESA_ACCOUNT: Final = "a/c no"
MPESA_REQUIRED: Final = (
    MPESA_RECEIPT,
    MPESA_COMPLETED,
    MPESA_DETAILS,
    MPESA_STATUS,
    MPESA_PAID_IN,
    MPESA_WITHDRAWN,
)
"""ASSUMED: the organisation statement's headings. A preamble of a few rows comes before them."""
MPESA_SHORT_CODE: Final = "short code"
"""ASSUMED: the preamble's cell before, or beginning with, the short code."""
MPESA_DONE: Final = "completed"
"""ASSUMED: the only status in which money has moved."""
MPESA_KINDS: Final[tuple[tuple[str, LineKind], ...]] = (
    ("charge", LineKind.FEE),
    ("fee", LineKind.FEE),
    ("commission", LineKind.FEE),
    ("excise", LineKind.FEE),
    ("revers", LineKind.REFUND),
    ("refund", LineKind.REFUND),
    ("settlement", LineKind.PAYOUT),
    ("to bank", LineKind.PAYOUT),
    ("withdraw", LineKind.PAYOUT),
    ("business payment", LineKind.PAYOUT),
    ("salary payment", LineKind.PAYOUT),
    ("promotion payment", LineKind.PAYOUT),
    ("pay bill", LineKind.PAYMENT),
    ("paybill", LineKind.PAYMENT),
    ("merchant payment", LineKind.PAYMENT),
    ("buy goods", LineKind.PAYMENT),
    ("payment from", LineKind.PAYMENT),
)
"""ASSUMED: what details and reason say of a row; the first that fits."""

STRIPE_ID: Final = "id"
STRIPE_API_REQUIRED: Final = ("id", "amount", "fee", "net", "currency", "type", "source", "created")
"""The fields of a balance transaction (Stripe sheet, section 9); amounts in Stripe's smallest unit."""
STRIPE_REPORT_REQUIRED: Final = (
    "id",
    "type",
    "source",
    "amount",
    "fee",
    "net",
    "currency",
    "created (utc)",
)
"""ASSUMED: the dashboard's export; amounts in whole units with decimals, times in UTC."""
STRIPE_TIMES: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ")
"""ASSUMED."""
STRIPE_KINDS: Final[Mapping[str, LineKind]] = {
    "charge": LineKind.PAYMENT,
    "payment": LineKind.PAYMENT,
    "refund": LineKind.REFUND,
    "payment_refund": LineKind.REFUND,
    "refund_failure": LineKind.REFUND,
    "payment_failure_refund": LineKind.REFUND,
    "stripe_fee": LineKind.FEE,
    "application_fee": LineKind.FEE,
    "tax_fee": LineKind.FEE,
    "payout": LineKind.PAYOUT,
    "payout_failure": LineKind.PAYOUT,
    "transfer": LineKind.PAYOUT,
}
"""ASSUMED where the sheet names no type: any other is `other`."""
STRIPE_MINOR_PER_OURS: Final[Mapping[str, int]] = {"UGX": 100}
"""Stripe counts hundredths of what ISO 4217 gives no decimals (Stripe sheet, section 2)."""
