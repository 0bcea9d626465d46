"""Asks Paystack what became of things; changes nothing there.

Source: Paystack, sections 3 and 4.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from integrations.errors import BadMessage, FailureReason, ProviderUnavailable
from integrations.paystack.actions import action_of
from integrations.paystack.calls import PaystackCalls, PaystackPaths
from integrations.paystack.codes import Fault
from integrations.paystack.reading import object_of
from integrations.paystack.transactions import ABANDONED, Transaction, judge, judge_listed
from integrations.protocol import Answer, ListedPayment, NotPaid, Question, StillPending
from integrations.wire_json import Json

PAGE_ENTRIES: Final = 100
PAGES_MAX: Final = 500
LEFT: Final = NotPaid(FailureReason.NO_ANSWER, ABANDONED, "The payer left the page without paying.")


class PaystackQuestions:
    """One account's questions. Each raises ProviderUnavailable where no answer came that can be read."""

    def __init__(self, calls: PaystackCalls, paths: PaystackPaths) -> None:
        self._calls = calls
        self._paths = paths

    async def answer(self, question: Question, *, is_over: bool) -> Answer | None:
        """What a verification says; None where Paystack does not know the reference.

        `is_over` says that the payer's time is: a page that was left is then a failure.
        """
        transaction = await self.transaction(question.provider_reference)
        if transaction is None:
            return None
        try:
            found = judge(transaction, question, self._calls.mode)
        except BadMessage as error:
            raise ProviderUnavailable(str(error)) from error
        return LEFT if is_over and transaction.status == ABANDONED else found

    async def transaction(self, reference: str) -> Transaction | None:
        """Verify a reference; None where Paystack does not know it."""
        path = f"{self._paths.verify}/{quote(reference, safe='')}"
        envelope = await self._calls.ask("verify", path, reference)
        if isinstance(envelope, Fault):
            if envelope.is_unknown_reference:
                return None
            raise ProviderUnavailable(str(envelope))
        try:
            return Transaction.of(object_of(envelope.get("data")))
        except BadMessage as error:
            raise ProviderUnavailable(str(error)) from error

    async def step_left(self, reference: str) -> StillPending:
        """What an open charge still wants of the payer, where Paystack says it."""
        path = f"{self._paths.charge}/{quote(reference, safe='')}"
        envelope = await self._calls.ask("charge_check", path, reference)
        if isinstance(envelope, Fault):
            return StillPending()
        return StillPending(action_of(object_of(envelope.get("data"))))

    async def payments(self, since: datetime, until: datetime) -> AsyncIterator[ListedPayment]:
        """The account's transactions made between two instants; a list that moves may repeat one."""
        span = {"from": _stamp(since), "to": _stamp(until)}
        async for entry in self.pages("list", self._paths.transactions, span):
            try:
                transaction = Transaction.of(entry)
            except BadMessage as error:
                raise ProviderUnavailable(str(error)) from error
            yield ListedPayment(
                provider_reference=transaction.reference,
                payment_id=transaction.payment_id,
                attempt_key=transaction.reference,
                answer=judge_listed(transaction, self._calls.mode),
                created_at=transaction.created_at or since,
            )

    async def pages(
        self, operation: str, path: str, query: Mapping[str, str]
    ) -> AsyncIterator[dict[str, Json]]:
        """Every entry of a list, page by page."""
        for page in range(1, PAGES_MAX + 1):
            paged = {**query, "perPage": str(PAGE_ENTRIES), "page": str(page)}
            envelope = await self._calls.ask(operation, path, operation, paged)
            data = None if isinstance(envelope, Fault) else envelope.get("data")
            if not isinstance(data, list):
                raise ProviderUnavailable(str(envelope) if isinstance(envelope, Fault) else "not a list")
            for entry in data:
                yield object_of(entry)
            if len(data) < PAGE_ENTRIES:
                return
        raise ProviderUnavailable("a list without an end")


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
