"""Speaks to Example Bank for one account of one tenant."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.clock import Clock
from core.collecting import CaptureMode, Method
from core.money import Money
from hazina_example_bank.messages import Collection, collection_body, currency_of, minor_of, text_of
from hazina_example_bank.transport import KeysRefused, Transport
from integrations.errors import (
    BadMessage,
    FailureReason,
    OutcomeUnknown,
    ProviderRejected,
    ProviderUnavailable,
)
from integrations.protocol import (
    Absent,
    Accepted,
    Adapter,
    Answer,
    Intent,
    KeyProof,
    ListedPayment,
    Paid,
    Question,
    RefundAnswer,
    Refunded,
    RefundFailed,
    RefundPending,
    RefundRequest,
    StillPending,
)
from integrations.wire_json import Json

PAGES_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class ExampleBankClient(Adapter):
    """For one API key."""

    transport: Transport
    clock: Clock

    async def create_payment(self, intent: Intent) -> Accepted:
        """Ask for an account number that this payment alone is paid to.

        Sent again it is the same collection: the bank keeps our reference unique.
        """
        if intent.method is not Method.BANK_TRANSFER:
            raise _refused("method", "Example Bank takes bank transfers only.")
        if intent.capture is not CaptureMode.AUTOMATIC:
            raise _refused("not_supported", "Example Bank takes the money at once.")
        answer = await self.transport.do(
            "collect", "/collections", collection_body(intent), intent.attempt_key
        )
        return _accepted(answer, intent)

    async def recover_payment(self, intent: Intent) -> Accepted | Absent | StillPending:
        """The bank knows a collection from the moment it takes it, so "unknown" is a sure word."""
        answer = await self.transport.ask("recover", f"/collections/{intent.attempt_key}")
        if answer is None:
            return Absent()
        try:
            return _accepted(answer, intent)
        except OutcomeUnknown as error:
            raise ProviderUnavailable(error.message) from error

    async def query_payment(self, question: Question) -> Answer:
        answer = await self.transport.ask("query", f"/collections/{question.provider_reference}")
        if answer is None:
            return StillPending()
        try:
            return Collection.of(answer).answer(question)
        except BadMessage as error:
            raise ProviderUnavailable(str(error)) from error

    async def cancel_payment(self, question: Question, key: str) -> Answer:
        """Close the account number; whoever paid before that has paid."""
        path = f"/collections/{question.provider_reference}/close"
        answer = await self.transport.do("close", path, {}, question.provider_reference)
        try:
            return Collection.of(answer).answer(question)
        except BadMessage as error:
            raise OutcomeUnknown(question.provider_reference, str(error)) from error

    async def refund_payment(self, refund: RefundRequest) -> RefundAnswer:
        """Send it back to where it came from; our refund's id makes it safe to repeat."""
        body: dict[str, Json] = {
            "reference": refund.refund_id,
            "collection": refund.payment.provider_reference,
            "amount_minor": refund.amount.minor,
            "currency": refund.amount.currency.value,
        }
        answer = await self.transport.do("refund", "/refunds", body, refund.refund_id)
        try:
            return _refund(answer)
        except BadMessage as error:
            raise OutcomeUnknown(refund.refund_id, str(error)) from error

    async def query_refund(
        self, refund: RefundRequest, provider_reference: str | None
    ) -> RefundAnswer | Absent:
        """Refunds are known by our own reference, so a lost answer needs no search."""
        answer = await self.transport.ask("query_refund", f"/refunds/{refund.refund_id}")
        if answer is None:
            return Absent()
        try:
            return _refund(answer)
        except BadMessage as error:
            raise ProviderUnavailable(str(error)) from error

    async def list_payments(self, since: datetime, until: datetime) -> AsyncIterator[ListedPayment]:
        after = ""
        for _ in range(PAGES_MAX):
            page = await self.transport.ask(
                "list", "/collections", since=since.isoformat(), until=until.isoformat(), after=after
            )
            rows = (page or {}).get("rows")
            if not isinstance(rows, list):
                raise ProviderUnavailable("no list")
            for row in rows:
                yield _listed(row)
                after = Collection.of(row).reference
            if not rows:
                return
        raise ProviderUnavailable(f"a list of more than {PAGES_MAX} pages")

    async def prove_keys(self) -> KeyProof:
        try:
            answer = await self.transport.ask("me", "/me")
        except KeysRefused as error:
            raise ProviderRejected("401", error.message, FailureReason.CONFIGURATION) from error
        if answer is None:
            raise ProviderUnavailable("no answer about the account")
        return KeyProof("Example Bank accepts the API key.")


def _accepted(answer: dict[str, Json], intent: Intent) -> Accepted:
    question = Question(intent.attempt_key, intent.amount, intent.payment_id, intent.tenant)
    try:
        collection = Collection.of(answer)
    except BadMessage as error:
        raise OutcomeUnknown(intent.attempt_key, str(error)) from error
    if collection.reference != intent.attempt_key:
        raise OutcomeUnknown(intent.attempt_key, "an answer about another collection")
    return Accepted(intent.attempt_key, answer=collection.answer(question))


def _listed(row: Json) -> ListedPayment:
    try:
        found = Collection.of(row)
    except BadMessage as error:
        raise ProviderUnavailable(str(error)) from error
    # A row has no question to fit: whoever sweeps compares, and asks before it counts.
    answer: Answer = StillPending()
    if found.status == "paid" and found.paid is not None:
        answer = Paid(found.paid, found.receipt, found.fee)
    return ListedPayment(found.reference, found.payment_id, found.reference, answer, found.created_at)


def _refund(answer: dict[str, Json]) -> RefundAnswer:
    id_, status = text_of(answer, "id"), text_of(answer, "status")
    if status == "failed":
        return RefundFailed(status, "Example Bank says the refund failed.", id_)
    if status == "done":
        return Refunded(id_, Money(minor_of(answer, "amount_minor"), currency_of(answer)))
    return RefundPending(id_)


def _refused(code: str, message: str) -> ProviderRejected:
    return ProviderRejected(code, message, FailureReason.CONFIGURATION)
