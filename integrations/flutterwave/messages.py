"""What Flutterwave's JSON looks like, in both directions.

Source: Flutterwave v3, sections 1 to 5.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, Self
from urllib.parse import urlsplit

from core.errors import InvalidInput
from core.money import Money
from integrations.errors import BadMessage
from integrations.http import Reply, is_loopback
from integrations.redaction import redact_text
from integrations.wire_json import Json, read_json, read_object, require_object

TEXT_CHARACTERS_MAX: Final = 200
URL_CHARACTERS_MAX: Final = 2_000
_ID: Final = re.compile(r"[0-9]{1,30}")
_NUMBER: Final = re.compile(r"[0-9]{1,30}(\.[0-9]{1,20})?")


@dataclass(frozen=True, slots=True)
class FlutterwavePaths:
    """Paths below the base URL, which ends in `/v3`."""

    payments: str = "/payments"
    disable_link: str = "/payments/link/disable"
    charges: str = "/charges"
    transactions: str = "/transactions"
    verify_by_reference: str = "/transactions/verify_by_reference"
    refunds: str = "/refunds"
    balances: str = "/balances"

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Self:
        """Take the paths that are set, by the names of the fields; others stay as they are."""
        return cls(**{name: path for name, path in settings.items() if name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Envelope:
    """One answer; `is_success` only says that the request worked."""

    status: int
    """Of HTTP."""
    is_success: bool
    message: str
    data: Json
    meta: Mapping[str, Json]

    @property
    def text(self) -> str:
        return self.message.lower()


@dataclass(frozen=True, slots=True)
class Transaction:
    """One attempt of a payer, as verify, list and charge tell it."""

    id: str
    tx_ref: str
    status: str
    """In lower case."""
    amount: Decimal | None
    currency: str
    fee: Decimal | None
    said: str
    """`processor_response`: why it failed."""
    meta: Mapping[str, Json] = field(repr=False)
    """Ours, where it comes back."""
    created_at: datetime | None

    @classmethod
    def of(cls, value: Json) -> Self:
        """Raises BadMessage where it is none."""
        data = require_object(value)
        id_, tx_ref = id_of(data.get("id")), text_of(data.get("tx_ref"))
        if id_ is None or not tx_ref:
            raise BadMessage("a transaction without id and tx_ref")
        return cls(
            id=id_,
            tx_ref=tx_ref,
            status=text_of(data.get("status")).lower(),
            amount=number_of(data.get("amount")),
            currency=text_of(data.get("currency")).upper(),
            fee=number_of(data.get("app_fee")),
            said=redact_text(text_of(data.get("processor_response"))),
            meta=meta_of(data.get("meta")),
            created_at=instant_of(data.get("created_at")),
        )


def read_envelope(reply: Reply) -> Envelope | None:
    """The envelope, whatever its HTTP status; None where something else stands in its place."""
    try:
        answer = read_object(reply.body)
    except BadMessage:
        return None
    word = text_of(answer.get("status")).lower()
    if word not in ("success", "error"):
        return None
    return Envelope(
        status=reply.status,
        # An error under a status of success, and the other way round, are both errors.
        is_success=word == "success" and reply.status in (200, 201),
        # Some texts repeat what was sent, and they reach people and logs.
        message=redact_text(text_of(answer.get("message"))),
        data=answer.get("data"),
        meta=meta_of(answer.get("meta")),
    )


def major(amount: Money) -> Json:
    """In whole units, exact; Flutterwave takes a JSON number."""
    whole = amount.amount
    return int(whole) if whole == whole.to_integral_value() else whole


def money_of(amount: Decimal | None, like: Money) -> Money | None:
    """Exactly, or not at all."""
    if amount is None:
        return None
    try:
        return Money.of_major(amount, like.currency)
    except InvalidInput:
        return None


def url_of(value: Json) -> str | None:
    """An https URL, or plain http on this machine; None for anything else."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > URL_CHARACTERS_MAX:
        return None
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        return None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    return value if host and is_safe else None


def id_of(value: Json) -> str | None:
    """A number of Flutterwave's as text; None for anything else, so that it can stand in a path."""
    text = text_of(value)
    return text if _ID.fullmatch(text) else None


def number_of(value: Json) -> Decimal | None:
    """An amount: a number, or its digits as text. None for anything else, and below zero."""
    try:
        return Decimal(text) if _NUMBER.fullmatch(text := text_of(value)) else None
    except InvalidOperation:
        return None


def instant_of(value: Json) -> datetime | None:
    """`2026-11-21T02:25:16.000Z`; None where it is no time."""
    try:
        instant = datetime.fromisoformat(text_of(value))
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def meta_of(value: Json) -> Mapping[str, Json]:
    """An object, or the text of one; empty for anything else."""
    if isinstance(value, str):
        try:
            value = read_json(value.encode())
        except (BadMessage, UnicodeEncodeError):
            return {}
    return value if isinstance(value, dict) else {}


def text_of(value: Json) -> str:
    """A short text or a number as text; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return ""
    if isinstance(value, Decimal):
        # An exponent of a million would be written out as a million digits.
        value = f"{value:f}" if value.is_finite() and abs(value.adjusted()) < TEXT_CHARACTERS_MAX else ""
    if isinstance(value, int) and value.bit_length() > TEXT_CHARACTERS_MAX:
        return ""
    printable = "".join(character for character in str(value) if character.isprintable())
    return printable.strip()[:TEXT_CHARACTERS_MAX]
