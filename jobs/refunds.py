"""Sends refunds to their providers, and asks what became of them."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select

from core.ids import Kind, outside
from integrations.account import NotConfigured
from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderUnavailable
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
from integrations.webhooks import RefundTold
from jobs.mpesa_requests import url_of_question
from jobs.payment_calls import QUESTIONS, QUEUE, called, record
from jobs.providers import Providers, Route
from jobs.work import Done, Handler, Later, Result, Work, backoff
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenancy.wrappers import KeyMissing, SealBroken
from tenant_db.credentials.names import SecretName
from tenant_db.payments.models import Payment
from tenant_db.refunds import asking, rules, submitting
from tenant_db.refunds.finding import payment_named, refund_named, undecided_of
from tenant_db.refunds.machine import REQUESTED, SUBMITTING, RefundStatus
from tenant_db.refunds.models import Refund
from tenant_db.refunds.noting import NotedRefund, note_refund
from tenant_db.refunds.rules import ASK_LADDER_S, RefundCause
from tenant_db.refunds.settling import settle_refund
from tenant_db.refunds.submitting import Claim, Order, order_of

SUBMIT: Final = "submit_refund"
ASK: Final = "ask_refund"
ITEM_BYTES: Final = 16
"""128 bits: nobody guesses the address of a result."""
SEND_RETRY_MAX_S: Final = 300.0
SUBMIT_ATTEMPTS_MAX: Final = 2_000
"""More than fit in the day in which a refund may be sent."""
ASK_ATTEMPTS_MAX: Final = 5_000
"""Weeks of runs that all fail: a ladder given up half-way would leave a refund to nobody."""
ASK_PAUSE_MAX_S: Final = 1_800.0

UNREADY: Final = (NotConfigured, KeyMissing, SealBroken)
"""Why a provider can't be reached now; whoever mends the account finds its refunds still waiting."""

log = structlog.get_logger()


def refund_handlers(providers: Providers) -> list[Handler]:
    """The jobs of refunds, by way of `providers`."""

    def bound(run: Callable[[Work, Providers], Awaitable[Result]]) -> Callable[[Work], Awaitable[Result]]:
        async def handle(work: Work) -> Result:
            with structlog.contextvars.bound_contextvars(refund_id=work.payload["refund_id"]):
                return await run(work, providers)

        return handle

    return [
        Handler(SUBMIT, bound(submit_refund), attempts_max=SUBMIT_ATTEMPTS_MAX),
        Handler(ASK, bound(ask_refund), attempts_max=ASK_ATTEMPTS_MAX),
    ]


async def submit_refund(work: Work, providers: Providers) -> Result:
    """Ask the provider to give money back; running it again is harmless.

    The provider is built before the claim. A run that finds the refund `submitting` is a re-run after a
    crash: `claim` makes it `unknown`, and the ladder asks. Only what surely sent nothing is sent again.
    """
    refund_id = UUID(work.payload["refund_id"])
    account_id, status = await _subject(work, refund_id)
    if status not in (REQUESTED, SUBMITTING):
        return Done()
    try:
        route = await providers.route(work.tenant, account_id, work.kind)
    except UNREADY as lack:
        async with work.tenant.transaction() as session:
            status = await submitting.expire_unsent(session, refund_id, work.services.clock())
        if status is not REQUESTED:
            return Done()
        return Later(backoff(work.attempt, max_s=SEND_RETRY_MAX_S), str(lack))
    item = secrets.token_hex(ITEM_BYTES) if SecretName.HOOK_TOKEN in route.secrets.by_name else None
    claim = await _claim(work, refund_id, item)
    if not isinstance(claim, Claim):
        return Done()
    url = "" if item is None else route.callback_url(work.services.policy.public_url, item)
    return await _send(work, route, claim.order, url)


async def ask_refund(work: Work, providers: Providers) -> Result:
    """Ask the provider about an open refund, and come back at the next rung of its ladder."""
    refund_id = UUID(work.payload["refund_id"])
    account_id, _ = await _subject(work, refund_id)
    try:
        route = await providers.route(work.tenant, account_id, work.kind)
    except UNREADY as lack:
        log.warning("refund_not_asked", lack=type(lack).__name__, why=str(lack))
        route = None
    async with work.tenant.transaction() as session:
        rung = await asking.take_rung(session, refund_id, work.services.clock(), ASK_LADDER_S)
    if route is not None and rung.order is not None:
        await _ask(work, route, rung.order, rung.asked_at)
    if rung.next_at is None:
        return Done()
    wait_s = max(0.0, (rung.next_at - work.services.clock()).total_seconds())
    return Later(wait_s, "it is not decided yet")


async def refund_told(work: Work, providers: Providers, account_id: UUID, event: RefundTold) -> Result:
    """Follow what a provider told of a refund: always by asking it, never by its word.

    A refund that nobody asked for here is written down, and people are told. Again is harmless.
    """
    async with work.tenant.reading() as session:
        refund_id = await refund_named(session, account_id, event.refund_reference, event.refund_id)
        payment_id = await payment_named(session, account_id, event.payment_reference)
        if refund_id is not None:
            payment_id = (await session.get_one(Refund, refund_id)).payment_id
    if payment_id is None:
        log.warning("refund_of_nothing_known", account=str(account_id))
        return Done()
    try:
        route = await providers.route(work.tenant, account_id, work.kind)
        if refund_id is not None:
            await _ask_again(work, route, [refund_id])
        else:
            await _follow(work, route, payment_id)
    except (*UNREADY, ProviderUnavailable, ProviderRejected) as lack:
        return Later(backoff(work.attempt, max_s=ASK_PAUSE_MAX_S), str(lack))
    return Done()


async def refund_answered(work: Work, refund_id: UUID, answer: RefundAnswer) -> None:
    """Settle what a provider answered later, to the address that this refund alone has."""
    async with work.tenant.transaction() as session:
        await settle_refund(session, refund_id, as_told(answer), RefundCause.CALLBACK, work.services.clock())


def as_told(answer: RefundAnswer) -> rules.Told:
    """What an adapter tells, in the words of the refunds' own rules."""
    match answer:
        case Refunded(reference, amount):
            return rules.Done(reference, amount)
        case RefundPending(reference, attention):
            return rules.Undecided(reference, attention)
        case RefundFailed(code, message, reference):
            return rules.NotDone(code, message, reference)


async def _claim(work: Work, refund_id: UUID, item: str | None) -> Claim | RefundStatus:
    async with work.tenant.transaction() as session:
        item_hash = None if item is None else sha256(item.encode()).digest()
        claim = await submitting.claim(session, refund_id, item_hash, work.services.clock())
        if isinstance(claim, Claim) and claim.is_first:
            # In the claim's own commit: whatever happens to this run, somebody asks.
            announce(session, ASK, queue=QUESTIONS, after_s=ASK_LADDER_S[0], refund_id=str(refund_id))
    return claim


async def _send(work: Work, route: Route, order: Order, url: str) -> Result:
    id_ = order.refund_id
    try:
        answer = await called(work, route, route.adapter.refund_payment(_request(work, order, url)))
    except ProviderUnavailable as error:
        why = error.message
        status = await record(work, route, id_, lambda session: submitting.release(session, id_, why))
        if status is not REQUESTED:
            return Done()
        return Later(backoff(work.attempt, max_s=SEND_RETRY_MAX_S), why)
    except OutcomeUnknown as error:
        doubt = error.message
        await record(work, route, id_, lambda session: submitting.doubt(session, id_, doubt))
    except ProviderRejected as error:
        refusal, now = rules.NotDone(error.code, error.message), work.services.clock()
        await record(work, route, id_, lambda session: submitting.reject(session, id_, refusal, now))
    else:
        await _settle(work, route, id_, as_told(answer), RefundCause.JOB)
    return Done()


async def _ask(work: Work, route: Route, order: Order, asked_at: datetime | None) -> None:
    """Ask once and settle; what could not be asked is asked at the next rung."""
    id_ = order.refund_id
    try:
        url = await url_of_question(work, route, id_)
        call = route.adapter.query_refund(_request(work, order, url), order.provider_reference)
        answer = await called(work, route, call)
    except (ProviderUnavailable, ProviderRejected) as error:
        log.warning("refund_not_asked", why=error.message)
        await record(work, route, id_, _nothing)
        return
    if not isinstance(answer, Absent):
        await _settle(work, route, id_, as_told(answer), RefundCause.QUERY)
    elif asked_at is not None:
        await record(work, route, id_, lambda session: _send_again(session, id_, asked_at))


async def _ask_again(work: Work, route: Route, refund_ids: Sequence[UUID]) -> None:
    for id_ in refund_ids:
        async with work.tenant.reading() as session:
            refund = await session.get_one(Refund, id_)
            payment = await session.get_one(Payment, refund.payment_id)
        await _ask(work, route, order_of(payment, refund), refund.submitted_at)


async def _follow(work: Work, route: Route, payment_id: UUID) -> None:
    """Look at all refunds that the provider has of a payment; ours are settled, others written down."""
    async with work.tenant.reading() as session:
        payment = await session.get_one(Payment, payment_id)
        ours = await undecided_of(session, payment_id)
    question = Question(
        payment.provider_reference or "",
        payment.amount,
        outside(Kind.PAYMENT, payment.id),
        outside(Kind.TENANT, work.tenant.id),
        payment.request_reference,
    )
    try:
        listed = await route.adapter.list_refunds(question, payment.receipt)
    except ProviderRejected as error:
        if error.code != "not_supported":
            raise
        await _ask_again(work, route, ours)
        return
    for each in listed:
        await _follow_one(work, route, payment, each)


async def _follow_one(work: Work, route: Route, payment: Payment, each: ListedRefund) -> None:
    told, now = as_told(each.answer), work.services.clock()
    account_id = payment.provider_account_id

    async def verb(session: TenantSession) -> None:
        known = await refund_named(session, account_id, each.provider_reference, each.refund_id)
        if known is not None:
            await settle_refund(session, known, told, RefundCause.QUERY, now)
            return
        noted = NotedRefund(payment.id, each.provider_reference, each.amount, told)
        await note_refund(session, noted, now)

    await record(work, route, payment.id, verb)


async def _settle(work: Work, route: Route, id_: UUID, told: rules.Told, cause: RefundCause) -> None:
    now = work.services.clock()
    await record(work, route, id_, lambda session: settle_refund(session, id_, told, cause, now))


async def _send_again(session: TenantSession, id_: UUID, asked_at: datetime) -> None:
    if await submitting.send_again(session, id_, asked_at) is REQUESTED:
        announce(session, SUBMIT, queue=QUEUE, refund_id=str(id_))


async def _nothing(_session: TenantSession) -> None:
    """Only the calls are to be written."""


def _request(work: Work, order: Order, url: str) -> RefundRequest:
    return RefundRequest(
        refund_id=outside(Kind.REFUND, order.refund_id),
        payment=_asked(work, order),
        amount=order.amount,
        receipt=order.receipt,
        reason=order.reason,
        result_url=url,
        sent_at=order.sent_at,
    )


def _asked(work: Work, order: Order) -> Question:
    return Question(
        provider_reference=order.payment_reference,
        amount=order.paid,
        payment_id=outside(Kind.PAYMENT, order.payment_id),
        tenant=outside(Kind.TENANT, work.tenant.id),
        request_reference=order.request_reference,
    )


async def _subject(work: Work, refund_id: UUID) -> tuple[UUID, RefundStatus]:
    async with work.tenant.reading() as session:
        rows = await session.execute(
            select(Refund.provider_account_id, Refund.status).where(Refund.id == refund_id)
        )
        account_id, status = rows.one()
    return account_id, RefundStatus(status)
