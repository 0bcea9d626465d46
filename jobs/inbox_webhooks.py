"""Turns webhooks of provider accounts into settled payments, refunds and disputes."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from core.alerts import AlertKind
from core.errors import InvalidInput
from core.ids import Kind, inside, outside
from integrations.account import NotConfigured
from integrations.errors import BadMessage, ProviderRejected, ProviderUnavailable
from integrations.protocol import Answer, StillPending
from integrations.registry import integration_for
from integrations.webhooks import DisputeTold, PaymentTold, ProviderEvent, RefundTold
from jobs.disputes import dispute_told
from jobs.payment_asking import ASK_PAUSE_MAX_S
from jobs.payment_calls import QUESTIONS, called, nothing, record
from jobs.payment_words import as_answer, asked_of
from jobs.providers import Providers, Route
from jobs.refunds import refund_told
from jobs.work import Done, Later, Result, Work, backoff
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.alerts.raising import raise_alert
from tenant_db.credentials.models import ProviderAccount
from tenant_db.inbox.models import TenantInbox
from tenant_db.inbox.processing import close, quarantine, take
from tenant_db.payments.answering import Settled, Verdict
from tenant_db.payments.hearing import Heard, settle_by_webhook
from tenant_db.payments.models import Payment
from tenant_db.payments.polling import Question
from tenant_db.payments.rules import Answer as Told

KIND: Final = "webhook"
WAIT_FIRST_S: Final = 0.25
WAIT_MAX_S: Final = 10.0
ASKED_MAX: Final = 6
"""Questions about one webhook while the provider does not stand by it yet; then the ladder asks on."""
FEE_AFTER_S: Final = 60.0
"""A provider books its fee a moment after the payment."""
WAITING: Final = "our own request is still being answered"

log = structlog.get_logger()


async def process_webhook(work: Work, providers: Providers, message: TenantInbox) -> Result:
    """Give one webhook its effect; running it again is harmless.

    What proves nothing by itself is asked about with no transaction open.
    """
    provider, _, account = message.source.partition(":")
    account_id = UUID(account)
    try:
        events = _events(provider, message.body)
    except BadMessage as error:
        return await _mark(work, message.id, Settled(Verdict.QUARANTINED, note=str(error)), account_id)
    for event in events:
        result = await _tell(work, providers, account_id, event, _inbox_of(message, events))
        if not isinstance(result, Done):
            return result
    return await _mark(work, message.id, Settled(Verdict.UNCHANGED), account_id)


def _events(provider: str, body: bytes) -> Sequence[ProviderEvent]:
    """Raises BadMessage."""
    scheme = integration_for(provider).webhooks
    return () if scheme is None else scheme.read(body)


def _inbox_of(message: TenantInbox, events: Sequence[ProviderEvent]) -> UUID | None:
    """The message, where its one event is all it tells: then both are dealt with in one transaction."""
    return message.id if len(events) == 1 else None


async def _tell(
    work: Work, providers: Providers, account_id: UUID, event: ProviderEvent, inbox_id: UUID | None
) -> Result:
    match event:
        case PaymentTold():
            return await _payment_told(work, providers, account_id, event, inbox_id)
        case RefundTold():
            return await refund_told(work, providers, account_id, event)
        case DisputeTold():
            return await dispute_told(work, account_id, event)


async def _payment_told(
    work: Work, providers: Providers, account_id: UUID, event: PaymentTold, inbox_id: UUID | None
) -> Result:
    heard = await _heard(work, account_id, event)
    settled = await _settle(work, heard, None, inbox_id)
    if settled.verdict is Verdict.WAIT:
        return Later(min(WAIT_MAX_S, WAIT_FIRST_S * 2 ** min(work.attempt, 10)), WAITING)
    if settled.verdict is not Verdict.ASK or settled.payment_id is None:
        return Done()
    try:
        route = await providers.route(work.tenant, account_id, work.kind)
        answer = await _asked(work, route, heard, settled.payment_id)
    except (NotConfigured, ProviderUnavailable, ProviderRejected) as error:
        return Later(backoff(work.attempt, max_s=ASK_PAUSE_MAX_S), str(error))
    if isinstance(answer, StillPending) and work.attempt < ASKED_MAX:
        return Later(backoff(work.attempt), "the provider does not stand by it yet")
    await _settle(work, heard, as_answer(answer), inbox_id)
    return Done()


async def _heard(work: Work, account_id: UUID, event: PaymentTold) -> Heard:
    """What the event tells; what is another business's, or of the other mode, proves nothing."""
    async with work.tenant.reading() as session:
        account = await session.get_one(ProviderAccount, account_id)
    is_ours = event.tenant in {None, outside(Kind.TENANT, work.tenant.id)}
    fits = event.is_live in {None, account.environment == "production"}
    payment_id = _payment_id(event.payment_id)
    # A name that is none of ours is another's.
    is_named = event.payment_id is None or payment_id is not None
    return Heard(
        account_id,
        event.provider_reference,
        event.request_reference,
        payment_id,
        as_answer(event.answer) if event.answer is not None and is_ours and fits and is_named else None,
    )


def _payment_id(told: str | None) -> UUID | None:
    try:
        return None if told is None else inside(Kind.PAYMENT, told)
    except InvalidInput:
        return None


async def _asked(work: Work, route: Route, heard: Heard, payment_id: UUID) -> Answer:
    async with work.tenant.reading() as session:
        payment = await session.get_one(Payment, payment_id)
    question = Question(
        payment.id,
        heard.account_id,
        payment.provider_reference or heard.provider_reference or payment.attempt_key,
        heard.request_reference or payment.request_reference,
        payment.amount,
    )
    answer = await called(work, route, route.adapter.query_payment(asked_of(work, question)))
    await record(work, route, payment_id, nothing)
    return answer


async def _settle(work: Work, heard: Heard, answered: Told | None, inbox_id: UUID | None) -> Settled:
    """Rule, and mark the message in the same transaction where it tells nothing else."""
    async with work.tenant.transaction() as session:
        message = None if inbox_id is None else await take(session, inbox_id)
        if inbox_id is not None and message is None:
            return Settled(Verdict.UNCHANGED)
        settled = await settle_by_webhook(session, heard, work.services.clock(), answered)
        if message is not None or settled.verdict is Verdict.QUARANTINED or settled.is_worth_asking:
            await _marked(session, message, settled, heard.account_id, work)
    return settled


async def _mark(work: Work, inbox_id: UUID, settled: Settled, account_id: UUID) -> Result:
    async with work.tenant.transaction() as session:
        message = await take(session, inbox_id)
        if message is not None:
            await _marked(session, message, settled, account_id, work)
    return Done()


async def _marked(
    session: TenantSession, message: TenantInbox | None, settled: Settled, account_id: UUID, work: Work
) -> None:
    now = work.services.clock()
    if settled.verdict is Verdict.QUARANTINED:
        log.warning("message_quarantined", why=settled.note)
        if message is not None:
            quarantine(message, settled.note, now)
        subject = outside(Kind.PROVIDER_ACCOUNT, account_id)
        await raise_alert(session, AlertKind.MESSAGE_QUARANTINED, subject, settled.note)
    elif message is not None and settled.verdict in {Verdict.SETTLED, Verdict.UNCHANGED}:
        close(message, now)
    if settled.is_worth_asking and settled.payment_id is not None:
        id_ = str(settled.payment_id)
        announce(session, "ask_payment", queue=QUESTIONS, after_s=FEE_AFTER_S, payment_id=id_)
