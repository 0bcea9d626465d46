"""Speaks Paystack for one account of one tenant.

Source: Paystack, sections 2 to 5 and 8.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from core.clock import Clock
from integrations.ages import SENT_WITHIN, is_older
from integrations.errors import FailureReason, OutcomeUnknown, ProviderUnavailable
from integrations.paystack import actions, requests
from integrations.paystack.calls import PaystackCalls, PaystackPaths
from integrations.paystack.codes import Fault, rejection
from integrations.paystack.questions import PaystackQuestions
from integrations.paystack.reading import object_of, text_of
from integrations.paystack.refunding import PaystackRefunds
from integrations.paystack.requests import Collecting
from integrations.protocol import (
    Absent,
    Accepted,
    Adapter,
    Answer,
    Intent,
    KeyProof,
    ListedPayment,
    ListedRefund,
    NotPaid,
    PayerStep,
    Question,
    RefundAnswer,
    RefundRequest,
    StillPending,
)
from integrations.wire_json import Json

ABSENT_AFTER: Final = timedelta(seconds=60)
"""A reference that Paystack does not know by then never reached it."""
DECIDED: Final = frozenset({"success", "failed"})
NO_ALIAS: Final = "Payers without an e-mail address can't pay: set the domain of their aliases."


class PaystackClient(Adapter):
    """For one secret key."""

    def __init__(
        self, calls: PaystackCalls, collecting: Collecting, paths: PaystackPaths, clock: Clock
    ) -> None:
        self._calls = calls
        self._collecting = collecting
        self._paths = paths
        self._clock = clock
        self._questions = PaystackQuestions(calls, paths)
        self._refunds = PaystackRefunds(calls, self._questions, paths, clock)

    async def create_payment(self, intent: Intent) -> Accepted:
        """Prompt the payer's phone where that can be done, else make a page to send the payer to.

        The reference is the intent's `attempt_key`; one that Paystack knows already is asked about.

        Raises:
            ProviderUnavailable: nothing was done; safe to send again.
            OutcomeUnknown: it was sent, and no answer came that says what was done.
            ProviderRejected: refused for good, or Paystack takes no such amount.
        """
        wallet = self._collecting.wallet(intent)
        if wallet is None:
            return await self._make_page(intent)
        body = requests.charge_body(intent, self._collecting, wallet)
        answer = await self._calls.order("charge", self._paths.charge, body, intent.attempt_key)
        if isinstance(answer, Fault):
            return await self._after_refusal(answer, _question_of(intent))
        return await self._read_charge(object_of(answer.get("data")), _question_of(intent))

    async def recover_payment(self, intent: Intent) -> Accepted | Absent | StillPending:
        """Verify the intent's reference; within a minute of its `sent_at` it may still be on its way.

        Where `sent_at` is not told, the payment's id says how old it can be at most.
        The link of a page whose answer was lost can't be had again: that payment waits until it expires.

        Raises:
            ProviderUnavailable: no answer, which says nothing about the payment.
        """
        answer = await self._judged(_question_of(intent))
        if answer is None:
            return Absent() if self._has_arrived(intent) else StillPending()
        if isinstance(answer, StillPending) and self._collecting.wallet(intent) is not None:
            answer = await self._questions.step_left(intent.attempt_key)
        return Accepted(intent.attempt_key, answer=answer)

    async def query_payment(self, question: Question) -> Answer:
        """Verify a reference. `abandoned` is pending while the payer may still finish.

        Raises:
            ProviderUnavailable: no answer, which says nothing about the payment.
        """
        # Right after its creation a reference may not be known yet.
        return await self._judged(question) or StillPending()

    async def confirm_payment(self, question: Question, step: PayerStep) -> Accepted:
        """Hand on an OTP, a PIN, a phone number, a birthday or an address.

        One that is refused leaves the payment open, with the step that is to be taken again.

        Raises:
            ProviderUnavailable: nothing was done; safe to send again.
            OutcomeUnknown: it was sent, and no answer came that says what was done.
            ProviderRejected: it is none of these steps, or the key is refused.
        """
        operation, entered = actions.step_of(step)
        reference = question.provider_reference
        body: dict[str, Json] = {**entered, "reference": reference}
        answer = await self._calls.order(operation, f"{self._paths.charge}/{operation}", body, reference)
        if not isinstance(answer, Fault):
            return await self._read_charge(object_of(answer.get("data")), question)
        if answer.is_account:
            raise rejection(answer)
        return Accepted(reference, answer=await self._after_refused_step(answer, question))

    async def refund_payment(self, refund: RefundRequest) -> RefundAnswer:
        """As `PaystackRefunds.refund`."""
        return await self._refunds.refund(refund)

    async def query_refund(
        self, refund: RefundRequest, provider_reference: str | None
    ) -> RefundAnswer | Absent:
        """As `PaystackRefunds.query`."""
        return await self._refunds.query(refund, provider_reference)

    async def list_refunds(self, payment: Question, receipt: str | None) -> Sequence[ListedRefund]:
        """As `PaystackRefunds.listed`."""
        return await self._refunds.listed(payment, receipt)

    def list_payments(self, since: datetime, until: datetime) -> AsyncIterator[ListedPayment]:
        """As `PaystackQuestions.payments`; each is worth a question before anything is credited."""
        return self._questions.payments(since, until)

    async def prove_keys(self) -> KeyProof:
        """Read the balance.

        Raises:
            ProviderUnavailable: no answer; try again later.
            ProviderRejected: its message says what to correct.
        """
        self._calls.require_key()
        envelope = await self._calls.ask("balance", self._paths.balance, "balance")
        if isinstance(envelope, Fault):
            if envelope.is_account:
                raise rejection(envelope)
            raise ProviderUnavailable(str(envelope))
        data = envelope.get("data")
        balances = [object_of(entry) for entry in data] if isinstance(data, list) else []
        kept = sorted({text_of(entry.get("currency")) for entry in balances} - {""})
        if not kept:
            raise ProviderUnavailable("an answer without the expected keys")
        warnings = [] if self._collecting.alias_domain else [NO_ALIAS]
        return KeyProof(
            f"Paystack accepts the {self._calls.mode} key, and keeps {', '.join(kept)}.", warnings
        )

    async def _judged(self, question: Question) -> Answer | None:
        is_over = is_older(question.payment_id, self._collecting.page_open, self._clock())
        return await self._questions.answer(question, is_over=is_over)

    def _has_arrived(self, intent: Intent) -> bool:
        """Whether Paystack would know it by now, had it ever been sent."""
        now = self._clock()
        if intent.sent_at is None:
            return is_older(intent.payment_id, SENT_WITHIN, now)
        return now - intent.sent_at >= ABSENT_AFTER

    async def _make_page(self, intent: Intent) -> Accepted:
        body = requests.page_body(intent, self._collecting)
        answer = await self._calls.order("initialize", self._paths.initialize, body, intent.attempt_key)
        if isinstance(answer, Fault):
            return await self._after_refusal(answer, _question_of(intent))
        data = object_of(answer.get("data"))
        action = actions.redirect_to(text_of(data.get("authorization_url")))
        if action is None or text_of(data.get("reference")) != intent.attempt_key:
            raise OutcomeUnknown(intent.attempt_key, "an answer without the expected keys")
        return Accepted(intent.attempt_key, answer=StillPending(action))

    async def _read_charge(self, data: dict[str, Json], question: Question) -> Accepted:
        """A charge that says it is decided is verified like every other."""
        reference, status = question.provider_reference, text_of(data.get("status"))
        if text_of(data.get("reference")) != reference or not status:
            raise OutcomeUnknown(reference, "an answer without the expected keys")
        if status not in DECIDED:
            return Accepted(reference, answer=StillPending(actions.action_of(data)))
        try:
            return Accepted(reference, answer=await self.query_payment(question))
        except ProviderUnavailable:
            # What was taken stays taken; the ladder asks again.
            return Accepted(reference)

    async def _after_refusal(self, fault: Fault, question: Question) -> Accepted:
        if not fault.is_duplicate:
            raise rejection(fault)
        try:
            return Accepted(question.provider_reference, answer=await self.query_payment(question))
        except ProviderUnavailable as error:
            raise OutcomeUnknown(question.provider_reference, f"sent before; {error.message}") from error

    async def _after_refused_step(self, fault: Fault, question: Question) -> Answer:
        try:
            answer = await self.query_payment(question)
            if isinstance(answer, StillPending):
                answer = await self._questions.step_left(question.provider_reference)
        except ProviderUnavailable:
            answer = StillPending()
        if not isinstance(answer, StillPending):
            return answer
        message = "Paystack refuses what the payer entered."
        refused = NotPaid(FailureReason.INCORRECT_DETAILS, rejection(fault).code, message)
        return replace(answer, failed_attempt=refused)


def _question_of(intent: Intent) -> Question:
    return Question(intent.attempt_key, intent.amount, intent.payment_id, intent.tenant)
