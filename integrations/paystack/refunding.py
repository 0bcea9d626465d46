"""Gives money back through Paystack, which has no idempotency key for it.

Source: Paystack, section 5.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import quote

from core.clock import Clock
from core.ids import Kind
from core.money import Money
from integrations.ages import is_missed
from integrations.errors import OutcomeUnknown, ProviderUnavailable
from integrations.paystack.calls import PaystackCalls, PaystackPaths
from integrations.paystack.codes import Fault, refund_rejection
from integrations.paystack.questions import PaystackQuestions
from integrations.paystack.reading import object_of, text_of, whole_of
from integrations.paystack.units import from_subunits, to_subunits
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
from integrations.wire_json import Json

PROCESSED: Final = "processed"
FAILED: Final = "failed"
NEEDS_ATTENTION: Final = "needs-attention"
OURS: Final = f"{Kind.REFUND.value}_"
"""How our notes begin; others write theirs on the dashboard."""
ATTENTION: Final = (
    "Paystack can't reach the payer's account. Give it the payer's bank details for this refund."
)


class PaystackRefunds:
    """One account's refunds."""

    def __init__(
        self, calls: PaystackCalls, questions: PaystackQuestions, paths: PaystackPaths, clock: Clock
    ) -> None:
        self._calls = calls
        self._questions = questions
        self._path = paths.refund
        self._clock = clock

    async def refund(self, refund: RefundRequest) -> RefundAnswer:
        """Order it once: sent twice, it is paid twice. Our id goes along as the merchant's note.

        Raises:
            ProviderUnavailable: nothing was done; safe to send again.
            OutcomeUnknown: it may have been taken: look for it before sending it again.
            ProviderRejected: refused for good.
        """
        body: dict[str, Json] = {
            "transaction": refund.payment.provider_reference,
            "amount": to_subunits(refund.amount),
            "currency": refund.amount.currency.value,
            "merchant_note": refund.refund_id,
        }
        envelope = await self._calls.order("refund", self._path, body, refund.refund_id)
        if isinstance(envelope, Fault):
            raise refund_rejection(envelope)
        answer = read_refund(object_of(envelope.get("data")))
        if answer is None:
            raise OutcomeUnknown(refund.refund_id, "an answer without the expected keys")
        return answer

    async def query(self, refund: RefundRequest, provider_reference: str | None) -> RefundAnswer | Absent:
        """Read a refund; without its id, look for our note among the transaction's refunds.

        One that is not listed counts as absent only when it was sent so long ago that none is on its way.

        Raises:
            ProviderUnavailable: no answer that could be read.
        """
        data = (
            await self._find(refund) if provider_reference is None else await self._read(provider_reference)
        )
        if data is None:
            return Absent() if is_missed(refund.sent_at, self._clock()) else RefundPending(None)
        if text_of(data.get("merchant_note")) not in ("", refund.refund_id):
            raise ProviderUnavailable("an answer about another refund")
        answer = read_refund(data)
        if answer is None:
            raise ProviderUnavailable("an answer without the expected keys")
        return answer

    async def listed(self, payment: Question, receipt: str | None) -> list[ListedRefund]:
        """Every refund of a transaction, made by us or on the dashboard.

        Raises:
            ProviderUnavailable: no answer that could be read.
        """
        found = []
        async for entry in self._of(payment, receipt):
            answer, amount = read_refund(entry), _amount_of(entry)
            if answer is None or amount is None:
                raise ProviderUnavailable("an answer without the expected keys")
            note = text_of(entry.get("merchant_note"))
            ours = note if note.startswith(OURS) else None
            found.append(ListedRefund(text_of(entry.get("id")), ours, amount, answer))
        return found

    async def _read(self, provider_reference: str) -> dict[str, Json]:
        path = f"{self._path}/{quote(provider_reference, safe='')}"
        envelope = await self._calls.ask("refund_query", path, provider_reference)
        if isinstance(envelope, Fault):
            raise ProviderUnavailable(str(envelope))
        return object_of(envelope.get("data"))

    async def _find(self, refund: RefundRequest) -> dict[str, Json] | None:
        async for entry in self._of(refund.payment, refund.receipt):
            if text_of(entry.get("merchant_note")) == refund.refund_id:
                return entry
        return None

    async def _of(self, payment: Question, receipt: str | None) -> AsyncIterator[dict[str, Json]]:
        transaction_id = await self._transaction_id(payment, receipt)
        if transaction_id is None:
            return
        query = {"transaction": transaction_id}
        async for entry in self._questions.pages("refund_list", self._path, query):
            # Only clients know the filter, so each entry is looked at.
            if _transaction_id_of(entry) == transaction_id:
                yield entry

    async def _transaction_id(self, payment: Question, receipt: str | None) -> str | None:
        """The filter wants Paystack's own number: the receipt, if the payment has one."""
        if whole_of(receipt) is not None:
            return receipt
        transaction = await self._questions.transaction(payment.provider_reference)
        return None if transaction is None else transaction.id


def read_refund(data: Mapping[str, Json]) -> RefundAnswer | None:
    """What is told of a refund; None where id, status or amount can't be read."""
    id_ = text_of(data.get("id"))
    status = text_of(data.get("status")).lower().replace("_", "-")
    amount = _amount_of(data)
    if not id_ or not status or amount is None:
        return None
    if status == PROCESSED:
        return Refunded(id_, amount)
    if status == FAILED:
        return RefundFailed(FAILED, "Paystack could not refund it: the money is back in the balance.", id_)
    return RefundPending(id_, ATTENTION if status == NEEDS_ATTENTION else None)


def _amount_of(data: Mapping[str, Json]) -> Money | None:
    subunits = whole_of(data.get("amount"))
    return None if subunits is None else from_subunits(subunits, text_of(data.get("currency")))


def _transaction_id_of(entry: Mapping[str, Json]) -> str:
    """In a list the transaction is its number, in the answer to an order an object."""
    told = entry.get("transaction")
    return text_of(told.get("id")) if isinstance(told, dict) else text_of(told)
