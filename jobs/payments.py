"""Sends payments to their providers, and asks what became of them."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import select

from core.ids import Kind, outside
from integrations.account import NotConfigured
from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.protocol import Intent
from integrations.protocol import NotPaid as ToldNotPaid
from integrations.protocol import Paid as ToldPaid
from integrations.protocol import Question as Asked
from jobs.providers import Providers, Route, poll_ladder_s
from jobs.work import Done, Handler, Later, Result, Work, backoff
from tenancy.errors import TenantNotServed, TransactionInterrupted
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenancy.wrappers import KeyMissing, SealBroken
from tenant_db.payments import polling, settling, submitting
from tenant_db.payments.machine import CREATED, PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import POLL_LADDER_S, FailureReason, NotPaid, Paid, Told
from tenant_db.payments.submitting import Claim

QUEUE: Final = "payments"
ITEM_BYTES: Final = 16
"""128 bits: nobody guesses the address of a callback."""
SEND_RETRY_MAX_S: Final = 30.0
"""The payer waits: a provider that comes back is asked soon."""
SUBMIT_ATTEMPTS_MAX: Final = 60
"""More than fit in the window in which a payment may be sent."""
POLL_ATTEMPTS_MAX: Final = 3_000
"""Days of runs that all fail: a ladder given up half-way would leave a payment to nobody."""
ASK_ATTEMPTS_MAX: Final = 500
ASK_PAUSE_MAX_S: Final = 1_800.0
"""With the attempts, five days: what was told of money is not given up before the ladder ends."""
RECORD_WAITS_S: Final = (0.2, 1.0, 3.0, 5.0)
"""Together with the longest call they fit into one run."""

T = TypeVar("T")

log = structlog.get_logger()


def payment_handlers(providers: Providers) -> list[Handler]:
    """The jobs of payments, by way of `providers`."""

    def bound(run: Callable[[Work, Providers], Awaitable[Result]]) -> Callable[[Work], Awaitable[Result]]:
        async def handle(work: Work) -> Result:
            with structlog.contextvars.bound_contextvars(payment_id=work.payload["payment_id"]):
                return await run(work, providers)

        return handle

    return [
        Handler("submit_payment", bound(submit_payment), attempts_max=SUBMIT_ATTEMPTS_MAX),
        Handler("poll_payment", bound(poll_payment), attempts_max=POLL_ATTEMPTS_MAX),
        Handler("ask_payment", bound(ask_payment), attempts_max=ASK_ATTEMPTS_MAX),
    ]


async def submit_payment(work: Work, providers: Providers) -> Result:
    """Ask the provider to collect one payment; running it again is harmless.

    The provider is built before the claim, so a missing key strands nothing. A run that finds
    the payment already `submitting` is a re-run after a crash: `claim` makes it `unknown`, and
    the poll ladder asks the provider. Only what surely sent nothing is tried again.
    """
    payment_id = UUID(work.payload["payment_id"])
    item = secrets.token_hex(ITEM_BYTES)
    subject = await _subject(work, payment_id)
    if subject.is_over(work.services.clock()):
        # Nothing will be sent, so no provider is needed to say so.
        await _claim(work, payment_id, item, POLL_LADDER_S)
        return Done()
    try:
        route = await providers.route(work.tenant, subject.account_id, work.kind)
        url = route.callback_url(work.services.policy.public_url, item)
    except NotConfigured as lack:
        return await _refuse(work, payment_id, str(lack))
    claim = await _claim(work, payment_id, item, poll_ladder_s(route.settings, POLL_LADDER_S))
    if not isinstance(claim, Claim):
        return Done()
    return await _send(work, route, claim, url)


async def poll_payment(work: Work, providers: Providers) -> Result:
    """Ask the provider about an open payment, and come back at the next rung of its ladder."""
    payment_id = UUID(work.payload["payment_id"])
    subject = await _subject(work, payment_id)
    try:
        route = await providers.route(work.tenant, subject.account_id, work.kind)
    except (NotConfigured, KeyMissing, SealBroken) as lack:
        # The ladder goes on: whoever mends the channel finds its payments still asked for.
        log.warning("payment_not_asked", lack=type(lack).__name__, why=str(lack))
        route = None
    ladder = POLL_LADDER_S if route is None else poll_ladder_s(route.settings, POLL_LADDER_S)
    async with work.tenant.transaction() as session:
        rung = await polling.take_rung(session, payment_id, work.services.clock(), ladder)
    if route is not None and rung.question is not None:
        why = await _ask(work, route, rung.question)
        if why is None:
            return Done()
    if rung.next_at is None:
        return Done()
    return Later(_until(work, rung.next_at), "it is still open")


async def ask_payment(work: Work, providers: Providers) -> Result:
    """Ask the provider once how a payment stands, after something doubtful was told about it."""
    payment_id = UUID(work.payload["payment_id"])
    subject = await _subject(work, payment_id)
    async with work.tenant.reading() as session:
        question = await polling.question_of(session, payment_id)
    if question is None:
        return Done()
    try:
        route = await providers.route(work.tenant, subject.account_id, work.kind)
    except NotConfigured as lack:
        return Later(backoff(work.attempt, max_s=ASK_PAUSE_MAX_S), str(lack))
    why = await _ask(work, route, question)
    return Done() if why is None else Later(backoff(work.attempt, max_s=ASK_PAUSE_MAX_S), why)


def as_told(answer: ToldPaid | ToldNotPaid) -> Told:
    """What an adapter tells, in the words of the payments' own rules."""
    if isinstance(answer, ToldPaid):
        return Paid(answer.amount, answer.receipt)
    return NotPaid(FailureReason(answer.reason.value), answer.code, answer.message, answer.is_sure)


def asked_of(work: Work, question: polling.Question) -> Asked:
    """A question about one payment, in the words of adapters."""
    return Asked(
        provider_reference=question.provider_reference,
        amount=question.amount,
        payment_id=outside(Kind.PAYMENT, question.payment_id),
        tenant=outside(Kind.TENANT, work.tenant.id),
        request_reference=question.request_reference,
    )


async def _claim(work: Work, payment_id: UUID, item: str, ladder_s: tuple[int, ...]) -> Claim | PaymentStatus:
    async with work.tenant.transaction() as session:
        now = work.services.clock()
        claim = await submitting.claim(session, payment_id, sha256(item.encode()).digest(), now)
        if isinstance(claim, Claim) and claim.is_first:
            # In the claim's own commit: whatever happens to this run, somebody asks.
            announce(session, "poll_payment", queue=QUEUE, after_s=ladder_s[0], payment_id=str(payment_id))
    return claim


async def _send(work: Work, route: Route, claim: Claim, url: str) -> Result:
    id_ = claim.payment_id
    intent = Intent(
        payment_id=outside(Kind.PAYMENT, id_),
        tenant=outside(Kind.TENANT, work.tenant.id),
        attempt_key=str(id_),
        amount=claim.amount,
        reference=claim.reference,
        description=claim.description,
        phone=claim.phone,
        callback_url=url,
    )
    try:
        accepted = await route.adapter.create_payment(intent)
    except ProviderUnavailable as error:
        why = error.message
        now = work.services.clock()
        state = await record(
            work, route, id_, lambda session: submitting.release(session, id_, claim.item_hash, why, now)
        )
        if state is not CREATED:
            return Done()
        return Later(backoff(work.attempt, max_s=SEND_RETRY_MAX_S), why)
    except OutcomeUnknown as error:
        doubt = error.message
        await record(work, route, id_, lambda session: submitting.doubt(session, id_, doubt))
    except ProviderRejected as error:
        refusal = NotPaid(FailureReason(error.reason.value), error.code, error.message)
        now = work.services.clock()
        await record(work, route, id_, lambda session: submitting.reject(session, id_, refusal, now))
    else:
        ids = accepted.provider_reference, accepted.request_reference
        await record(work, route, id_, lambda session: submitting.confirm(session, id_, *ids))
    return Done()


async def _ask(work: Work, route: Route, question: polling.Question) -> str | None:
    """Ask and settle; None once the provider has decided, else why there is nothing to settle."""
    id_ = question.payment_id
    try:
        answer = await route.adapter.query_payment(asked_of(work, question))
    except ProviderUnavailable as error:
        await record(work, route, id_, _nothing)
        return error.message
    if not isinstance(answer, ToldPaid | ToldNotPaid):
        await record(work, route, id_, _nothing)
        return "the provider has not decided"
    told, now = as_told(answer), work.services.clock()
    await record(work, route, id_, lambda session: settling.settle_by_answer(session, id_, told, now))
    return None


async def _nothing(_session: TenantSession) -> None:
    """Only the calls are to be written."""


async def _refuse(work: Work, payment_id: UUID, why: str) -> Result:
    async with work.tenant.transaction() as session:
        refusal = NotPaid(FailureReason.CONFIGURATION, "", why)
        await submitting.refuse(session, payment_id, refusal, work.services.clock())
    return Done()


@dataclass(frozen=True, slots=True)
class _Subject:
    account_id: UUID
    state: PaymentStatus
    expires_at: datetime

    def is_over(self, now: datetime) -> bool:
        return self.state is CREATED and now >= self.expires_at


async def _subject(work: Work, payment_id: UUID) -> _Subject:
    async with work.tenant.reading() as session:
        rows = await session.execute(
            select(Payment.provider_account_id, Payment.status, Payment.expires_at).where(
                Payment.id == payment_id
            )
        )
        account_id, status, expires_at = rows.one()
    return _Subject(account_id, PaymentStatus(status), expires_at)


async def record(
    work: Work, route: Route, subject_id: UUID, verb: Callable[[TenantSession], Awaitable[T]]
) -> T:
    """Write down a call and its outcome in one commit; `verb` must be harmless to repeat.

    What the provider answered is worth some patience: lost, it makes the payment an unknown one.

    Raises:
        TenantNotServed, TransactionInterrupted, OSError: the database stayed away.
    """
    for wait_s in RECORD_WAITS_S:
        try:
            return await _record(work, route, subject_id, verb)
        except (TenantNotServed, TransactionInterrupted, OSError) as error:
            log.warning("outcome_not_recorded_yet", why=type(error).__name__)
            await asyncio.sleep(wait_s)
    return await _record(work, route, subject_id, verb)


async def _record(
    work: Work, route: Route, subject_id: UUID, verb: Callable[[TenantSession], Awaitable[T]]
) -> T:
    async with work.tenant.transaction() as session:
        result = await verb(session)
        route.calls.write(session, subject_id)
    route.calls.forget()
    return result


def _until(work: Work, due: datetime) -> float:
    return max(0.0, (due - work.services.clock()).total_seconds())
