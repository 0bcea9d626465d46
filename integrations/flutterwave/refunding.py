"""Gives money back through Flutterwave, which has no idempotency key for it: ours is looked for first.

Source: Flutterwave v3, section 5.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from core.clock import Clock
from core.ids import Kind
from core.money import Money
from integrations.ages import is_missed, made_at
from integrations.errors import BadMessage, OutcomeUnknown, ProviderUnavailable
from integrations.flutterwave.listing import day, pages
from integrations.flutterwave.messages import (
    FlutterwavePaths,
    id_of,
    instant_of,
    major,
    meta_of,
    money_of,
    number_of,
    text_of,
)
from integrations.flutterwave.transport import Transport
from integrations.flutterwave.words import RefundWord, refund_word
from integrations.protocol import (
    Absent,
    ListedRefund,
    Question,
    RefundAnswer,
    Refunded,
    RefundFailed,
    RefundPending,
    RefundRequest,
)
from integrations.wire_json import Json, require_object

STUCK_AFTER: Final = timedelta(days=7)
STUCK: Final = "Flutterwave hasn't paid it out for seven days: it may have to be given back by hand there."
UNLIKE: Final = "Flutterwave tells another amount or payment for this refund: compare them there."
UNNAMED: Final = "Flutterwave lists a refund of this amount without our note: compare it there."
LISTED_WITHIN: Final = timedelta(days=30)
"""How far back the list is read where a refund's id holds no time, and for refunds of the dashboard."""
OURS: Final = f"{Kind.REFUND.value}_"


@dataclass(frozen=True, slots=True)
class RefundRow:
    """One refund as Flutterwave tells it, in either of its spellings."""

    id: str
    transaction_id: str | None
    amount: Decimal | None
    comment: str
    word: RefundWord
    status: str
    created_at: datetime | None

    @classmethod
    def of(cls, value: Json) -> "RefundRow":
        """Raises BadMessage where it is none."""
        data = require_object(value)
        id_ = id_of(data.get("id"))
        if id_ is None:
            raise BadMessage("a refund without an id")
        status = text_of(data.get("status")).lower()
        disbursed = text_of(meta_of(data.get("meta")).get("disburse_status")).lower()
        return cls(
            id=id_,
            transaction_id=id_of(_either(data, "tx_id", "TransactionId")),
            amount=number_of(_either(data, "amount_refunded", "AmountRefunded")),
            comment=text_of(_either(data, "comments", "comment")),
            word=refund_word(status, disbursed),
            status=status,
            created_at=instant_of(data.get("created_at")),
        )


@dataclass(frozen=True, slots=True)
class Refunds:
    """The refunds of one account."""

    transport: Transport
    paths: FlutterwavePaths
    clock: Clock

    async def give(self, refund: RefundRequest, transaction_id: str) -> RefundAnswer:
        """Give back once, however often it is asked: a refund that has our note is answered as it stands.

        Raises:
            ProviderUnavailable: nothing was sent.
            ProviderRejected: refused, such as for an amount above the rest.
            OutcomeUnknown: look for it with `find` before anything else.
        """
        earlier = await self._noted(refund, transaction_id)
        if earlier is not None:
            return self._answer(refund, earlier, transaction_id)
        body: dict[str, Json] = {"amount": major(refund.amount), "comments": refund.refund_id}
        path = f"{self.paths.transactions}/{transaction_id}/refund"
        envelope = await self.transport.do("refund", path, body, refund.refund_id)
        try:
            row = RefundRow.of(envelope.data)
        except BadMessage as error:
            raise OutcomeUnknown(refund.refund_id, "an answer without the expected keys") from error
        return self._answer(refund, row, transaction_id)

    async def ask(
        self, refund: RefundRequest, provider_reference: str, transaction_id: str | None
    ) -> RefundAnswer | Absent:
        """How a refund stands that Flutterwave gave an id."""
        envelope = await self.transport.ask("refund_read", f"{self.paths.refunds}/{provider_reference}")
        if not envelope.is_success:
            raise ProviderUnavailable(f"no refund {provider_reference}: {envelope.message}")
        try:
            row = RefundRow.of(envelope.data)
        except BadMessage as error:
            raise ProviderUnavailable("an answer without the expected keys") from error
        return self._answer(refund, row, transaction_id)

    async def find(self, refund: RefundRequest, transaction_id: str) -> RefundAnswer | Absent:
        """Look for ours among the refunds of its transaction, by the note it carries.

        One that was sent too lately to be missed is pending; so is one that may be ours but carries no note.
        """
        unnamed = False
        async for row in self._of(self._since(refund), transaction_id):
            if row.comment == refund.refund_id:
                return self._answer(refund, row, transaction_id)
            unnamed = unnamed or (not row.comment and _has_amount(row, refund))
        if unnamed:
            return RefundPending(None, UNNAMED)
        return self.missing(refund)

    def missing(self, refund: RefundRequest) -> RefundAnswer | Absent:
        """What to make of one that Flutterwave does not show."""
        return Absent() if is_missed(refund.sent_at, self.clock()) else RefundPending(None)

    async def listed(self, payment: Question, transaction_id: str) -> list[ListedRefund]:
        """Every refund of a transaction in the last 30 days, made by us or on the dashboard.

        Raises:
            ProviderUnavailable: no answer that could be read.
        """
        now = self.clock()
        since = max(made_at(payment.payment_id) or now - LISTED_WITHIN, now - LISTED_WITHIN)
        found = []
        async for row in self._of(since, transaction_id):
            amount = money_of(row.amount, payment.amount)
            if amount is None:
                raise ProviderUnavailable("a refund without an amount")
            ours = row.comment if row.comment.startswith(OURS) else None
            found.append(ListedRefund(row.id, ours, amount, self._standing(row, amount)))
        return found

    async def _noted(self, refund: RefundRequest, transaction_id: str) -> RefundRow | None:
        async for row in self._of(self._since(refund), transaction_id):
            if row.comment == refund.refund_id:
                return row
        return None

    def _since(self, refund: RefundRequest) -> datetime:
        return made_at(refund.refund_id) or self.clock() - LISTED_WITHIN

    async def _of(self, since: datetime, transaction_id: str) -> AsyncIterator[RefundRow]:
        until = self.clock() + timedelta(days=1)
        query = {"from": day(since - timedelta(days=1)), "to": day(until)}
        async for value in pages(self.transport, "refund_list", self.paths.refunds, query):
            try:
                row = RefundRow.of(value)
            except BadMessage:
                continue
            if row.transaction_id == transaction_id:
                yield row

    def _answer(self, refund: RefundRequest, row: RefundRow, transaction_id: str | None) -> RefundAnswer:
        is_other = None not in (row.transaction_id, transaction_id) and row.transaction_id != transaction_id
        if is_other or not _has_amount(row, refund):
            return RefundPending(row.id, UNLIKE)
        return self._standing(row, refund.amount)

    def _standing(self, row: RefundRow, amount: Money) -> RefundAnswer:
        match row.word:
            case RefundWord.DONE:
                return Refunded(row.id, amount)
            case RefundWord.FAILED:
                return RefundFailed(row.status or "failed", "Flutterwave says the refund failed.", row.id)
        is_stuck = row.created_at is not None and self.clock().astimezone(UTC) - row.created_at > STUCK_AFTER
        return RefundPending(row.id, STUCK if is_stuck else None)


def _has_amount(row: RefundRow, refund: RefundRequest) -> bool:
    return money_of(row.amount, refund.amount) == refund.amount


def _either(data: dict[str, Json], *names: str) -> Json:
    return next((data[name] for name in names if data.get(name) is not None), None)
