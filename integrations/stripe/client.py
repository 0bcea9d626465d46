"""Speaks to Stripe for one account of one tenant.

Source: Stripe sheet.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from core.clock import Clock
from core.errors import InvalidInput
from core.ids import parse
from core.money import Money
from integrations.errors import BadMessage, OutcomeUnknown, ProviderUnavailable
from integrations.protocol import (
    Absent,
    Accepted,
    Adapter,
    Answer,
    Intent,
    KeyProof,
    ListedPayment,
    ListedRefund,
    PayerStep,
    Question,
    RefundAnswer,
    RefundRequest,
    StillPending,
)
from integrations.stripe.api import FORBIDDEN, Fault, StripeApi, raise_for, raise_rejected
from integrations.stripe.intents import Mode, Object, judge, metadata, require_id
from integrations.stripe.listing import first, listed_payment, pages
from integrations.stripe.messages import (
    ACCOUNT,
    BALANCE,
    CANCEL_FORM,
    INTENTS,
    PAGE_ITEMS,
    REFUNDS,
    WITH_CHARGE,
    WITH_FEE,
    capture_form,
    confirm_form,
    created_query,
    intent_form,
    refund_form,
)
from integrations.stripe.proving import judge_keys, mode_of, require_mode
from integrations.stripe.refunds import is_ours, judge_refund, listed_refund

KEY_LIFETIME: Final = timedelta(hours=23)
"""Stripe remembers an idempotency key for 24 hours at least; one is left for clocks and queues."""
SEARCH_DELAY: Final = timedelta(minutes=10)
"""How long Stripe's search may not know what was just created."""
CLOCKS_APART: Final = timedelta(minutes=10)
"""How far Stripe's clock and ours may be apart where a list is asked for."""
UNEXPECTED_STATE: Final = "payment_intent_unexpected_state"


class StripeClient(Adapter):
    """For one secret key."""

    def __init__(self, api: StripeApi, mode: Mode, clock: Clock) -> None:
        self._api = api
        self._mode = mode
        self._clock = clock

    async def create_payment(self, intent: Intent) -> Accepted:
        """Create a PaymentIntent; nothing is charged until the payer, or a confirmation, pays it."""
        created = await self._create(intent)
        if isinstance(created, Fault):
            raise_for(created, intent.attempt_key)
        return created

    async def recover_payment(self, intent: Intent) -> Accepted | Absent | StillPending:
        """Create it again under the same key, which never makes a second; after a day, look for it."""
        if self._clock() - _made_at(intent) > KEY_LIFETIME:
            return await self._searched(intent)
        created: Accepted | Fault | None = None
        try:
            created = await self._create(intent)
            if not isinstance(created, Fault):
                return created
            raise_for(created, intent.attempt_key)
        except OutcomeUnknown:
            is_stored = isinstance(created, Fault) and (created.is_replay or created.may_retry is False)
            return await self._listed(intent) or (Absent() if is_stored else StillPending())

    async def query_payment(self, question: Question) -> Answer:
        """Retrieve the PaymentIntent with its charge, and Stripe's fee where the key may read it."""
        return await self._retrieve(question)

    async def confirm_payment(self, question: Question, step: PayerStep) -> Accepted:
        """Pay with `payment_method` (pm_…); `return_url` is where a payer who is sent away comes back.

        A decline is an answer, not an error: the payment stays open for another method.
        """
        reference, form = question.provider_reference, confirm_form(step)
        # Another method is another try; the same one again is the same request again.
        key = f"confirm-{sha256(f'{reference}:{sorted(form.items())}'.encode()).hexdigest()[:40]}"
        answered = await self._post("confirm", f"{INTENTS}/{reference}/confirm", form, question, key)
        if not isinstance(answered, Fault):
            return Accepted(reference, answer=answered)
        if answered.declined is None and answered.code != UNEXPECTED_STATE:
            raise_for(answered, question.payment_id)
        answer = await self._retrieve(question)
        if isinstance(answer, StillPending) and answer.failed_attempt is None:
            answer = StillPending(answer.next_action, answered.declined)
        return Accepted(reference, answer=answer)

    async def capture_payment(self, question: Question, amount: Money, key: str) -> Answer:
        """Take authorised money; what is not taken goes back to the payer."""
        return await self._end("capture", capture_form(amount), question, key)

    async def cancel_payment(self, question: Question, key: str) -> Answer:
        """Cancel the PaymentIntent, which frees an authorisation."""
        return await self._end("cancel", CANCEL_FORM, question, key)

    async def refund_payment(self, refund: RefundRequest) -> RefundAnswer:
        """Refund all or a part; our refund's id is the idempotency key."""
        form = refund_form(refund)
        self._require_key()
        answered = await self._api.post(
            "refund", REFUNDS, form, key=refund.refund_id, reference=refund.refund_id
        )
        if isinstance(answered, Fault):
            raise_for(answered, refund.refund_id)
        try:
            return judge_refund(answered, refund)
        except BadMessage as error:
            raise OutcomeUnknown(refund.refund_id, str(error)) from error

    async def query_refund(
        self, refund: RefundRequest, provider_reference: str | None
    ) -> RefundAnswer | Absent:
        """Retrieve the refund, or look for ours among those of the payment."""
        self._require_key()
        if provider_reference is None:
            query = {"payment_intent": refund.payment.provider_reference, "limit": PAGE_ITEMS}
            found = await first(
                self._api, "list_refunds", REFUNDS, query, lambda listed: is_ours(listed, refund)
            )
            return Absent() if found is None else _judged(found, refund)
        answered = await self._api.get("query_refund", f"{REFUNDS}/{provider_reference}")
        if isinstance(answered, Fault):
            raise_rejected(answered)
        return _judged(answered, refund)

    async def list_refunds(self, payment: Question, receipt: str | None) -> Sequence[ListedRefund]:
        """Every refund of the PaymentIntent, those of the dashboard too, newest first."""
        self._require_key()
        reference = payment.provider_reference
        query = {"payment_intent": reference, "limit": PAGE_ITEMS}
        found = [refund async for refund in pages(self._api, "list_refunds", REFUNDS, query)]
        try:
            return [listed_refund(refund, reference) for refund in found]
        except BadMessage as error:
            raise ProviderUnavailable(str(error)) from error

    async def list_payments(self, since: datetime, until: datetime) -> AsyncIterator[ListedPayment]:
        """Every PaymentIntent of the account created between the two, newest first."""
        self._require_key()
        async for intent in pages(self._api, "list", INTENTS, created_query(since, until)):
            yield listed_payment(intent, self._mode)

    async def prove_keys(self) -> KeyProof:
        """Read the balance, which moves nothing; a restricted key that may not is valid too."""
        self._require_key()
        balance = await self._api.get("balance", BALANCE)
        return judge_keys(balance, await self._api.get("account", ACCOUNT), self._mode)

    async def _create(self, intent: Intent) -> Accepted | Fault:
        form = intent_form(intent)
        self._require_key()
        answered = await self._api.post(
            "create", INTENTS, form, key=intent.attempt_key, reference=intent.attempt_key
        )
        return answered if isinstance(answered, Fault) else self._accepted(answered, intent)

    async def _end(self, operation: str, form: Mapping[str, str], question: Question, key: str) -> Answer:
        """Do what ends an intent; where its state forbids that, say what the state is."""
        path = f"{INTENTS}/{question.provider_reference}/{operation}"
        answered = await self._post(operation, path, form, question, f"{operation}-{key}")
        if not isinstance(answered, Fault):
            return answered
        if answered.code != UNEXPECTED_STATE:
            raise_for(answered, question.payment_id)
        return await self._retrieve(question)

    async def _post(
        self, operation: str, path: str, form: Mapping[str, str], question: Question, key: str
    ) -> Answer | Fault:
        self._require_key()
        answered = await self._api.post(operation, path, form, key=key, reference=question.payment_id)
        if isinstance(answered, Fault):
            return answered
        try:
            return judge(answered, question, self._mode)
        except BadMessage as error:
            raise OutcomeUnknown(question.payment_id, str(error)) from error

    async def _retrieve(self, question: Question) -> Answer:
        self._require_key()
        path = f"{INTENTS}/{question.provider_reference}"
        answered = await self._api.get("query", path, WITH_FEE)
        if isinstance(answered, Fault) and answered.status == FORBIDDEN:
            answered = await self._api.get("query", path, WITH_CHARGE)
        if isinstance(answered, Fault):
            raise_rejected(answered)
        try:
            return judge(answered, question, self._mode)
        except BadMessage as error:
            raise ProviderUnavailable(str(error)) from error

    async def _searched(self, intent: Intent) -> Accepted | Absent | StillPending:
        """Look for an attempt whose key may be forgotten, by what we wrote into it."""
        self._require_key()
        query = {"query": f"metadata['attempt_key']:'{intent.attempt_key}'", "limit": "1"}
        found = await first(self._api, "search", f"{INTENTS}/search", query, lambda _: True)
        if found is not None:
            return self._accepted(found, intent)
        is_new = intent.sent_at is not None and self._clock() - intent.sent_at < SEARCH_DELAY
        return StillPending() if is_new else Absent()

    async def _listed(self, intent: Intent) -> Accepted | None:
        query = created_query(_made_at(intent) - CLOCKS_APART, self._clock() + CLOCKS_APART)
        found = await first(
            self._api,
            "list",
            INTENTS,
            query,
            lambda listed: metadata(listed, "attempt_key") == intent.attempt_key,
        )
        return None if found is None else self._accepted(found, intent)

    def _accepted(self, created: Object, intent: Intent) -> Accepted:
        try:
            reference = require_id(created.get("id"))
            question = Question(reference, intent.amount, intent.payment_id, intent.tenant)
            return Accepted(reference, answer=judge(created, question, self._mode))
        except BadMessage as error:
            raise OutcomeUnknown(intent.attempt_key, str(error)) from error

    def _require_key(self) -> None:
        """A key of the other mode is never used: it could charge a real card in a test, or the reverse."""
        require_mode(mode_of(self._api.secret_key), self._mode)


def _judged(refund: Object, request: RefundRequest) -> RefundAnswer:
    try:
        return judge_refund(refund, request)
    except BadMessage as error:
        raise ProviderUnavailable(str(error)) from error


def _made_at(intent: Intent) -> datetime:
    """When our payment was made: its id is a UUIDv7. An attempt is never older."""
    try:
        _, id_ = parse(intent.payment_id)
    except InvalidInput:
        return datetime.fromtimestamp(0, UTC)
    return datetime.fromtimestamp((id_.int >> 80) / 1_000, UTC)
