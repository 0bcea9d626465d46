"""Asks providers what became of open payments, and gives up those whose payer took too long."""

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from core.collecting import Feature
from integrations.account import NotConfigured
from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.protocol import Absent, Answer, StillPending
from jobs.payment_calls import called, nothing, record, subject_of
from jobs.payment_sending import accepted_as
from jobs.payment_words import as_answer, asked_of, intent_of
from jobs.providers import Providers, Route, poll_ladder_s
from jobs.work import Done, Later, Result, Work, backoff
from tenancy.wrappers import KeyMissing, SealBroken
from tenant_db.payments import answering, polling, submitting
from tenant_db.payments.attempts import Attempt
from tenant_db.payments.machine import ENDED, PaymentStatus
from tenant_db.payments.polling import Question, Rung
from tenant_db.payments.rules import POLL_LADDER_S, Cause

ASK_PAUSE_MAX_S: Final = 1_800.0
"""With the attempts, five days: what was told of money is not given up before the ladder ends."""
UNDECIDED: Final = "the provider has not decided"

log = structlog.get_logger()


async def poll_payment(work: Work, providers: Providers) -> Result:
    """Ask the provider about an open payment, and come back at the next rung of its ladder."""
    payment_id = UUID(work.payload["payment_id"])
    subject = await subject_of(work, payment_id)
    if subject.state in ENDED:
        return Done()
    try:
        route = await providers.route(work.tenant, subject.account_id, work.kind)
    except (NotConfigured, KeyMissing, SealBroken) as lack:
        # The ladder goes on: whoever mends the account finds its payments still asked for.
        log.warning("payment_not_asked", lack=type(lack).__name__, why=str(lack))
        route = None
    ladder = POLL_LADDER_S if route is None else poll_ladder_s(route.settings, POLL_LADDER_S)
    async with work.tenant.transaction() as session:
        rung = await polling.take_rung(session, payment_id, work.services.clock(), ladder)
    if route is not None and await _is_over(work, route, rung):
        return Done()
    if rung.next_at is None:
        return Done()
    return Later(_until(work, rung.next_at), "it is still open")


async def ask_payment(work: Work, providers: Providers) -> Result:
    """Ask the provider once how a payment stands, after something doubtful was told about it."""
    payment_id = UUID(work.payload["payment_id"])
    subject = await subject_of(work, payment_id)
    async with work.tenant.reading() as session:
        question = await polling.question_of(session, payment_id)
    if question is None:
        return Done()
    try:
        route = await providers.route(work.tenant, subject.account_id, work.kind)
    except NotConfigured as lack:
        return Later(backoff(work.attempt, max_s=ASK_PAUSE_MAX_S), str(lack))
    why = await ask(work, route, question)
    return Done() if why is None else Later(backoff(work.attempt, max_s=ASK_PAUSE_MAX_S), why)


async def ask(work: Work, route: Route, question: Question) -> str | None:
    """Ask and settle; None once the provider has decided, else why there is nothing to settle."""
    id_ = question.payment_id
    try:
        answer = await called(work, route, route.adapter.query_payment(asked_of(work, question)))
    except (ProviderUnavailable, ProviderRejected) as error:
        await record(work, route, id_, nothing)
        return error.message
    await settled_as(work, route, id_, answer, Cause.QUERY)
    return UNDECIDED if isinstance(answer, StillPending) else None


async def settled_as(
    work: Work, route: Route, payment_id: UUID, answer: Answer, cause: Cause
) -> PaymentStatus:
    """Write down what the provider answered about a payment, and settle it; gives its state."""
    told, now = as_answer(answer), work.services.clock()
    settled = await record(
        work,
        route,
        payment_id,
        lambda session: answering.settle_by_answer(session, payment_id, told, now, cause=cause),
    )
    log.info("payment_answered", verdict=settled.verdict)
    return (await subject_of(work, payment_id)).state


async def _is_over(work: Work, route: Route, rung: Rung) -> bool:
    """Ask as the rung says; whether the payment has ended by the answer."""
    if rung.lost is not None and Feature.RECOVER in route.features:
        return await _recover(work, route, rung.lost) in ENDED
    if rung.question is None:
        return False
    if rung.is_to_be_given_up and Feature.CANCEL in route.features:
        return await give_up(work, route, rung.question) in ENDED
    decided = await ask(work, route, rung.question) is None
    return decided and (await subject_of(work, rung.question.payment_id)).state in ENDED


async def give_up(work: Work, route: Route, question: Question) -> PaymentStatus | None:
    """Tell the provider to take no money any more, and settle by its answer: it may have been paid.

    None, and nothing is settled, where it did not say.
    """
    id_, key = question.payment_id, f"stop-{question.payment_id.hex}"
    try:
        answer = await called(work, route, route.adapter.cancel_payment(asked_of(work, question), key))
    except (ProviderUnavailable, OutcomeUnknown, ProviderRejected) as error:
        log.warning("payment_not_given_up", why=error.message)
        await record(work, route, id_, nothing)
        return None
    return await settled_as(work, route, id_, answer, Cause.JOB)


async def _recover(work: Work, route: Route, attempt: Attempt) -> PaymentStatus | None:
    id_ = attempt.payment_id
    try:
        found = await called(work, route, route.adapter.recover_payment(intent_of(work, attempt)))
    except (ProviderUnavailable, OutcomeUnknown) as error:
        log.info("payment_not_recovered", why=error.message)
        await record(work, route, id_, nothing)
        return None
    except ProviderRejected as error:
        # It speaks of the question, not of the payment: only `Absent` says that it never came.
        log.warning("payment_not_recovered", why=error.message)
        await record(work, route, id_, nothing)
        return None
    if isinstance(found, StillPending):
        await record(work, route, id_, nothing)
        return None
    if isinstance(found, Absent):
        now = work.services.clock()
        return await record(work, route, id_, lambda session: submitting.never_arrived(session, id_, now))
    return await accepted_as(work, route, id_, found)


def _until(work: Work, due: datetime) -> float:
    return max(0.0, (due - work.services.clock()).total_seconds())
