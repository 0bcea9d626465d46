"""Speaks Flutterwave v3 for one account of one tenant."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core.clock import Clock
from core.money import Money
from integrations.ages import SENT_WITHIN, is_older, made_at
from integrations.errors import (
    BadMessage,
    FailureReason,
    OutcomeUnknown,
    ProviderRejected,
    ProviderUnavailable,
)
from integrations.flutterwave.charging import (
    Habits,
    charge_body,
    charge_type,
    page_body,
    read_charge,
    read_page,
    require_automatic,
)
from integrations.flutterwave.judging import NEVER_ARRIVED, as_listed, exactly, is_direct, judge
from integrations.flutterwave.listing import day, pages
from integrations.flutterwave.messages import FlutterwavePaths, Transaction, id_of, meta_of, text_of, url_of
from integrations.flutterwave.refunding import Refunds
from integrations.flutterwave.transport import KEYS_REFUSED, KeysRefused, Transport
from integrations.flutterwave.words import FAILED, INACTIVE_LINK_TEXT, NO_TRANSACTION_TEXT, SUCCESSFUL
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
    Question,
    RefundAnswer,
    RefundRequest,
    StillPending,
)

TEST_KEY_PREFIX: Final = "FLWSECK_TEST"
LISTED_WITHIN: Final = timedelta(days=30)
"""How far back attempts are looked for where a payment's id holds no time."""
DAY: Final = timedelta(days=1)
APPEARS_WITHIN: Final = timedelta(minutes=5)
"""[ASSUMED] From a charge that was taken to its transaction: "some minutes"."""


@dataclass(frozen=True, slots=True)
class FlutterwaveClient(Adapter):
    """For one secret key."""

    transport: Transport
    paths: FlutterwavePaths
    habits: Habits
    environment: str
    clock: Clock

    async def create_payment(self, intent: Intent) -> Accepted:
        """Prompt a phone (direct charge), or make a page to pay on.

        Flutterwave does not keep a `tx_ref` from being used twice, so what is there already under
        ours is looked up first: a phone is prompted once, and a page made anew only while the
        attempts on the one before have failed.
        """
        self._require_mode()
        require_automatic(intent)
        kind = charge_type(intent, self.habits)
        if kind is None:
            body, path = page_body(intent, self.habits), self.paths.payments
        else:
            body, path = charge_body(intent, kind, self.habits), f"{self.paths.charges}?type={kind}"
        try:
            found = await self._best(_question_of(intent))
        except KeysRefused as error:
            raise _keys_refused() from error
        if found is not None and (kind is not None or found.status != FAILED):
            return self._found(intent, found)
        operation = "payment_page" if kind is None else "charge"
        envelope = await self.transport.do(operation, path, body, intent.attempt_key)
        return read_page(envelope, intent) if kind is None else read_charge(envelope, intent)

    async def recover_payment(self, intent: Intent) -> Accepted | Absent | StillPending:
        """Look for a transaction under our reference.

        A page whose answer was lost has an address that nobody knows: nothing can be paid on it, and
        it is absent at once. A charge is absent five minutes after it was sent; where that is not
        known, 15 minutes after the payment's id was made.
        """
        found = await self._best(_question_of(intent))
        if found is not None:
            return self._found(intent, found)
        is_page = charge_type(intent, self.habits) is None
        return Absent() if is_page or self._is_missed(intent) else StillPending()

    async def query_payment(self, question: Question) -> Answer:
        """Verify: by the transaction's id where it is known, else by our reference.

        Several attempts may stand under one reference: the successful one counts. Once a hosted
        page's time is over, a failed attempt or none at all is final.
        """
        found = await self._best(question)
        is_over = self._is_over(question)
        if found is not None:
            return judge(question, found, is_over=is_over)
        return NEVER_ARRIVED if is_over else StillPending()

    async def cancel_payment(self, question: Question, key: str) -> Answer:
        """Switch a hosted page off, if nothing was paid on it; a prompt on a phone can't be called back.

        What can't be cancelled is answered as it stands: ask again later.
        """
        answer, link = await self.query_payment(question), url_of(question.request_reference)
        if not isinstance(answer, StillPending) or link is None:
            return answer
        await self._disable(link, question.provider_reference)
        # Who was quicker than we has paid.
        found = await self._best(question)
        if found is None or found.status == FAILED:
            return NotPaid(FailureReason.CANCELLED_BY_MERCHANT, "link_disabled", "The page was switched off.")
        return judge(question, found, is_over=True)

    async def refund_payment(self, refund: RefundRequest) -> RefundAnswer:
        transaction_id = await self._transaction_id(refund.payment, refund.receipt)
        if transaction_id is None:
            raise ProviderRejected("no_transaction", "Nothing was paid there.", FailureReason.DECLINED)
        return await self._refunds.give(refund, transaction_id)

    async def query_refund(
        self, refund: RefundRequest, provider_reference: str | None
    ) -> RefundAnswer | Absent:
        if provider_reference is not None and id_of(provider_reference) is not None:
            return await self._refunds.ask(refund, provider_reference, id_of(refund.receipt))
        transaction_id = await self._transaction_id(refund.payment, refund.receipt)
        if transaction_id is None:
            return self._refunds.missing(refund)
        return await self._refunds.find(refund, transaction_id)

    async def list_refunds(self, payment: Question, receipt: str | None) -> Sequence[ListedRefund]:
        """As `Refunds.listed`."""
        transaction_id = await self._transaction_id(payment, receipt)
        return [] if transaction_id is None else await self._refunds.listed(payment, transaction_id)

    async def list_payments(self, since: datetime, until: datetime) -> AsyncIterator[ListedPayment]:
        """Every attempt, hosted and direct; a row is no proof, and is verified before it counts."""
        query = {"from": day(since - DAY), "to": day(until + DAY)}
        async for value in pages(self.transport, "transaction_list", self.paths.transactions, query):
            try:
                found = Transaction.of(value)
            except BadMessage:
                continue
            if found.created_at is not None and since <= found.created_at < until:
                yield _listed(found, found.created_at)

    async def prove_keys(self) -> KeyProof:
        self._require_mode()
        try:
            envelope = await self.transport.ask("balances", self.paths.balances)
        except KeysRefused as error:
            raise _keys_refused() from error
        if not envelope.is_success:
            raise ProviderRejected(str(envelope.status), envelope.message, FailureReason.CONFIGURATION)
        return KeyProof("Flutterwave accepts the secret key.")

    @property
    def _refunds(self) -> Refunds:
        return Refunds(self.transport, self.paths, self.clock)

    def _require_mode(self) -> None:
        is_test = self.transport.secret_key.startswith(TEST_KEY_PREFIX)
        if is_test == (self.environment == "production"):
            raise ProviderRejected(
                "mode",
                f"The secret key is of the other mode: {self.environment} wants {_key_of(self.environment)}.",
                FailureReason.CONFIGURATION,
            )

    def _is_missed(self, intent: Intent) -> bool:
        now = self.clock()
        if intent.sent_at is not None:
            return now - intent.sent_at > APPEARS_WITHIN
        return is_older(intent.payment_id, SENT_WITHIN, now)

    def _is_over(self, question: Question) -> bool:
        session = timedelta(minutes=self.habits.session_minutes)
        return is_older(question.payment_id, session + SENT_WITHIN, self.clock())

    def _found(self, intent: Intent, found: Transaction) -> Accepted:
        question = _question_of(intent)
        answer = judge(question, found, is_over=self._is_over(question))
        return Accepted(intent.attempt_key, found.id, answer)

    async def _best(self, question: Question) -> Transaction | None:
        """The attempt that says most: a successful one before any other."""
        tx_ref, id_ = question.provider_reference, id_of(question.request_reference)
        told = await self._verify(id_) if id_ else None
        # A webhook's only proof is static: an id it brought may lead to another payment.
        told = told if told is not None and told.tx_ref == tx_ref else None
        if told is not None and _is_decisive(told):
            return told
        found = await self._verify_by_reference(tx_ref) or told
        if found is None or _is_decisive(found):
            return found
        return await self._successful(question, found.id) or found

    async def _successful(self, question: Question, other_than: str) -> Transaction | None:
        now = self.clock()
        since = (made_at(question.payment_id) or now - LISTED_WITHIN) - DAY
        query = {
            "from": day(since),
            "to": day(now + DAY),
            "tx_ref": question.provider_reference,
            "status": SUCCESSFUL,
        }
        async for value in pages(self.transport, "transaction_list", self.paths.transactions, query):
            try:
                row = Transaction.of(value)
            except BadMessage:
                continue
            is_ours = row.tx_ref == question.provider_reference and row.status == SUCCESSFUL
            if is_ours and row.id != other_than:
                return await self._verify(row.id)
        return None

    async def _verify(self, id_: str) -> Transaction | None:
        return await self._transaction("verify", f"{self.paths.transactions}/{id_}/verify")

    async def _verify_by_reference(self, tx_ref: str) -> Transaction | None:
        return await self._transaction("verify", self.paths.verify_by_reference, tx_ref=tx_ref)

    async def _transaction(self, operation: str, path: str, /, **query: str) -> Transaction | None:
        envelope = await self.transport.ask(operation, path, **query)
        if not envelope.is_success:
            if NO_TRANSACTION_TEXT in envelope.text:
                return None
            raise ProviderUnavailable(envelope.message)
        try:
            return Transaction.of(envelope.data)
        except BadMessage as error:
            raise ProviderUnavailable("an answer without the expected keys") from error

    async def _disable(self, link: str, reference: str) -> None:
        try:
            await self.transport.do("disable_link", self.paths.disable_link, {"link": link}, reference)
        except ProviderRejected as error:
            if INACTIVE_LINK_TEXT not in error.message.lower():
                raise
        except OutcomeUnknown as error:
            # Switching it off again is harmless.
            raise ProviderUnavailable(error.message) from error

    async def _transaction_id(self, payment: Question, receipt: str | None) -> str | None:
        if id_of(receipt) is not None:
            return id_of(receipt)
        found = await self._best(payment)
        return found.id if found is not None and found.status == SUCCESSFUL else None


def _is_decisive(found: Transaction) -> bool:
    return found.status == SUCCESSFUL or is_direct(found)


def _question_of(intent: Intent) -> Question:
    return Question(intent.attempt_key, intent.amount, intent.payment_id, intent.tenant)


def _listed(found: Transaction, created_at: datetime) -> ListedPayment:
    amount: Money | None = exactly(found.amount, found.currency)
    payment_id = text_of(meta_of(dict(found.meta)).get("payment_id")) or None
    return ListedPayment(found.tx_ref, payment_id, found.tx_ref, as_listed(found, amount), created_at)


def _keys_refused() -> ProviderRejected:
    return ProviderRejected("401", KEYS_REFUSED, FailureReason.CONFIGURATION)


def _key_of(environment: str) -> str:
    return "FLWSECK-…" if environment == "production" else f"{TEST_KEY_PREFIX}-…"
