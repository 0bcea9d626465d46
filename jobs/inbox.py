"""Turns what providers sent into typed events, and events into settled payments."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from integrations.account import NotConfigured
from integrations.errors import BadMessage, ProviderUnavailable
from integrations.mpesa.events import read_c2b_confirmation, read_stk_result
from integrations.protocol import NotPaid, Paid
from jobs.gathering import Gathering
from jobs.inbox_webhooks import KIND as WEBHOOK
from jobs.inbox_webhooks import process_webhook
from jobs.mpesa_results import RESULT, TIMEOUT, process_result
from jobs.payment_calls import QUESTIONS
from jobs.payments import ASK_ATTEMPTS_MAX, ASK_PAUSE_MAX_S, as_told, asked_of
from jobs.providers import Providers
from jobs.quarantine import alert_quarantined
from jobs.turns import Turns
from jobs.work import Done, Handler, Later, Result, Work, backoff
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.inbox.looking import look_at
from tenant_db.inbox.models import TenantInbox
from tenant_db.inbox.processing import close, quarantine, take
from tenant_db.payments import polling
from tenant_db.payments.matching import NewConfirmation, settle_by_confirmation
from tenant_db.payments.matching_at_once import match_at_once
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Told
from tenant_db.payments.settling import Callback, Settled, Verdict, settle_by_callback
from tenant_db.payments.settling_at_once import settle_at_once
from tenant_db.reviews.opening import NewReview, open_review_at_end
from tenant_db.reviews.rules import ReviewCause, ReviewSubject

WAIT_FIRST_S: Final = 0.25
WAIT_MAX_S: Final = 3.0
"""Our own request is answered within seconds, or its run has died."""

_MESSAGES: Final = Gathering(look_at)
_TURNS: Final = Turns()
"""Of the messages that tell of one receipt."""


def inbox_handlers(providers: Providers) -> list[Handler]:
    """The jobs of the inbox, by way of `providers`."""

    async def process(work: Work) -> Result:
        return await process_inbox(work, providers)

    return [Handler("process_inbox", process, attempts_max=ASK_ATTEMPTS_MAX)]


async def process_inbox(work: Work, providers: Providers) -> Result:
    """Give one message its effect, in the transaction that marks it processed; again is harmless.

    What can't be read or does not fit is quarantined as it came. Where a callback alone proves
    nothing, the provider is asked with no transaction open, and the answer is ruled on together
    with the callback.
    """
    inbox_id = UUID(work.payload["inbox_id"])
    message = await _MESSAGES.ask(work.tenant, inbox_id)
    if message is None:
        raise ValueError(f"there is no message {inbox_id}")
    if message.kind in _OTHERS:
        return await _OTHERS[message.kind](work, providers, message)
    try:
        ruling = _RULINGS[message.kind](message, work)
    except BadMessage as error:
        return await _quarantine(work, inbox_id, str(error))
    # A callback and its confirmation come together: the second finds what the first has done.
    async with _TURNS.of(work.tenant.id, ruling.receipt):
        is_done = await ruling.at_once()
    settled = None if is_done else await _settle(work, inbox_id, ruling, None)
    if settled is None:
        return Done()
    if settled.verdict is Verdict.ASK:
        return await _ask(work, providers, inbox_id, ruling, settled)
    if settled.verdict is Verdict.WAIT:
        wait_s = min(WAIT_MAX_S, WAIT_FIRST_S * 2 ** min(work.attempt, 10))
        return Later(wait_s, "our own request is still being answered")
    return Done()


class _Ruling:
    """What is to be decided about one message, with or without the provider's own answer."""

    def __init__(
        self,
        decide: Callable[[TenantSession, Told | None], Awaitable[Settled]],
        at_once: Callable[[], Awaitable[bool]],
        receipt: str | None,
        question: str | None = None,
    ) -> None:
        self.decide = decide
        self.at_once = at_once
        """Does it all where nothing is unusual; false where nothing was done."""
        self.receipt = receipt
        self.question = question
        """The provider's id to ask about; None where the message is its own proof."""


def _stk_result(message: TenantInbox, work: Work) -> _Ruling:
    if message.item_hash is None:
        raise BadMessage("A callback without the address of a payment.")
    event = read_stk_result(message.body)
    callback = Callback(
        _channel_of(message), message.item_hash, event.provider_reference, as_told(event.answer)
    )

    async def decide(session: TenantSession, answer: Told | None) -> Settled:
        return await settle_by_callback(session, callback, work.services.clock(), answer)

    async def at_once() -> bool:
        return await settle_at_once(work.tenant, message.id, callback, work.services.clock())

    receipt = event.answer.receipt if isinstance(event.answer, Paid) else None
    return _Ruling(decide, at_once, receipt, event.provider_reference)


def _c2b_confirmation(message: TenantInbox, work: Work) -> _Ruling:
    event = read_c2b_confirmation(message.body)
    new = NewConfirmation(
        channel_id=_channel_of(message),
        short_code=event.short_code,
        receipt=event.receipt,
        amount=event.amount,
        account=event.reference,
        payer=event.phone_masked,
        # A time that can't be read is no reason to lose money: it came when we heard of it.
        paid_at=event.occurred_at or message.created_at,
    )

    async def decide(session: TenantSession, _answer: Told | None) -> Settled:
        return await settle_by_confirmation(session, new, work.services.clock())

    async def at_once() -> bool:
        return await match_at_once(work.tenant, message.id, new, work.services.clock())

    return _Ruling(decide, at_once, event.receipt)


_RULINGS: Final[dict[str, Callable[[TenantInbox, Work], _Ruling]]] = {
    "stk_result": _stk_result,
    "c2b_confirmation": _c2b_confirmation,
}


_OTHERS: Final[dict[str, Callable[[Work, Providers, TenantInbox], Awaitable[Result]]]] = {
    WEBHOOK: process_webhook,
    RESULT: process_result,
    TIMEOUT: process_result,
}
"""Messages whose jobs ask, settle and mark by themselves."""


async def _settle(work: Work, inbox_id: UUID, ruling: _Ruling, answer: Told | None) -> Settled | None:
    """Rule and mark the message in one transaction; None where somebody has done so before."""
    async with work.tenant.transaction() as session:
        message = await take(session, inbox_id)
        if message is None:
            return None
        settled = await ruling.decide(session, answer)
        _mark(session, message, settled, work)
    return settled


def _mark(session: TenantSession, message: TenantInbox, settled: Settled, work: Work) -> None:
    now = work.services.clock()
    if settled.verdict in (Verdict.SETTLED, Verdict.UNCHANGED):
        close(message, now)
    if settled.verdict is Verdict.QUARANTINED:
        quarantine(message, settled.note, now)
        alert_quarantined(session, message, settled.note)
        if settled.is_worth_asking and settled.payment_id is not None:
            announce(session, "ask_payment", queue=QUESTIONS, payment_id=str(settled.payment_id))
            if message.kind == "stk_result":
                announce(
                    session,
                    "ask_receipt",
                    queue=QUESTIONS,
                    payment_id=str(settled.payment_id),
                    inbox_id=str(message.id),
                )


async def _ask(work: Work, providers: Providers, inbox_id: UUID, ruling: _Ruling, settled: Settled) -> Result:
    if ruling.question is None or settled.channel_id is None or settled.payment_id is None:
        raise ValueError("only what names a payment can be asked about")
    async with work.tenant.reading() as session:
        payment = await session.get_one(Payment, settled.payment_id)
    question = polling.Question(
        payment.id, payment.provider_account_id, ruling.question, payment.request_reference, payment.amount
    )
    try:
        route = await providers.route(work.tenant, payment.provider_account_id, work.kind)
        answer = await route.adapter.query_payment(asked_of(work, question))
    except (NotConfigured, ProviderUnavailable) as error:
        return Later(backoff(work.attempt, max_s=ASK_PAUSE_MAX_S), str(error))
    async with work.tenant.transaction() as session:
        route.calls.write(session, settled.payment_id)
    route.calls.forget()
    if not isinstance(answer, Paid | NotPaid):
        return Later(backoff(work.attempt, max_s=ASK_PAUSE_MAX_S), "the provider has not decided")
    await _settle(work, inbox_id, ruling, as_told(answer))
    return Done()


async def _quarantine(work: Work, inbox_id: UUID, why: str) -> Result:
    async with work.tenant.transaction() as session:
        message = await take(session, inbox_id)
        if message is not None:
            quarantine(message, why, work.services.clock())
            alert_quarantined(session, message, why)
            question = "A provider's message can't be read. Does it tell of money?"
            about = ReviewCause.UNREADABLE_MESSAGE
            open_review_at_end(session, NewReview(ReviewSubject.MESSAGE, inbox_id, about, question, why))
    return Done()


def _channel_of(message: TenantInbox) -> UUID:
    return UUID(message.source.partition(":")[2])
