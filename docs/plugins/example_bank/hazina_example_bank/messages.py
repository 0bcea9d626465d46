"""Example Bank's JSON, read with suspicion and judged against the question.

Amounts are whole minor units, so no fraction is ever parsed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.collecting import ActionKind, NextAction
from core.currency import Currency
from core.money import Money
from integrations.errors import BadMessage, FailureReason
from integrations.protocol import Answer, Intent, Mismatch, NotPaid, Paid, Question, StillPending
from integrations.wire_json import Json, require_object

TEXT_CHARACTERS_MAX: Final = 200
MINOR_MAX: Final = 10**18
REASONS: Final = {
    "expired": FailureReason.NO_ANSWER,
    "closed": FailureReason.CANCELLED_BY_MERCHANT,
    "returned": FailureReason.DECLINED,
}
"""Why a collection came to nothing, by the bank's word."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What the bank says of one collection."""

    reference: str
    status: str
    paid: Money | None
    fee: Money | None
    receipt: str | None
    payment_id: str
    tenant: str
    account: dict[str, str]
    """Where the payer sends the money."""
    created_at: datetime

    @classmethod
    def of(cls, value: Json) -> "Collection":
        """Raises BadMessage where it is none."""
        data = require_object(value)
        marks = require_object(data.get("marks"))
        account = require_object(data.get("account"))
        return cls(
            reference=text_of(data, "reference"),
            status=text_of(data, "status"),
            paid=_money(data, "paid_minor"),
            fee=_money(data, "fee_minor"),
            receipt=text_of(data, "receipt") if data.get("receipt") is not None else None,
            payment_id=text_of(marks, "payment_id"),
            tenant=text_of(marks, "tenant"),
            account={name: text_of(account, name) for name in ("bank", "number", "reference")},
            created_at=_instant(text_of(data, "created_at")),
        )

    def answer(self, question: Question) -> Answer:
        """Paid only where reference, amount, currency, payment and tenant are those of the question."""
        if self.status == "paid":
            return self._paid(question)
        if self.status == "waiting":
            return StillPending(self.next_action)
        reason = REASONS.get(self.status)
        if reason is None:
            return StillPending()
        return NotPaid(reason, self.status, f"Example Bank says: {self.status}.")

    @property
    def next_action(self) -> NextAction:
        return NextAction(ActionKind.SHOW, "Transfer the money to this account.", data=self.account)

    def _paid(self, question: Question) -> Answer:
        ours = question.provider_reference, question.amount, question.payment_id, question.tenant
        told = self.reference, self.paid, self.payment_id, self.tenant
        for name, expected, got in zip(("reference", "amount", "payment", "tenant"), ours, told, strict=True):
            if expected != got:
                return Mismatch(f"the {name} is another: {got}")
        return Paid(question.amount, self.receipt, self.fee)


def collection_body(intent: Intent) -> dict[str, Json]:
    """What a collection is asked with; `reference` makes the call idempotent."""
    return {
        "reference": intent.attempt_key,
        "amount_minor": intent.amount.minor,
        "currency": intent.amount.currency.value,
        "note": intent.description[:35],
        "marks": {"payment_id": intent.payment_id, "tenant": intent.tenant},
    }


def text_of(data: dict[str, Json], name: str) -> str:
    """A short printable text.

    Raises:
        BadMessage: it is missing, or something else.
    """
    value = data.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_CHARACTERS_MAX or not value.isprintable():
        raise BadMessage(f"no usable {name}")
    return value


def minor_of(data: dict[str, Json], name: str) -> int:
    """Raises BadMessage where it is no whole number of minor units."""
    value = data.get(name)
    # True is an int in Python.
    if type(value) is not int or not 0 <= value < MINOR_MAX:
        raise BadMessage(f"no usable {name}")
    return value


def currency_of(data: dict[str, Json]) -> Currency:
    try:
        return Currency(text_of(data, "currency"))
    except ValueError as error:
        raise BadMessage("a currency we don't know") from error


def _money(data: dict[str, Json], name: str) -> Money | None:
    if data.get(name) is None:
        return None
    return Money(minor_of(data, name), currency_of(data))


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadMessage("no time") from error
    if instant.tzinfo is None:
        raise BadMessage("a time without its zone")
    return instant
