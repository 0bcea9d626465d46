"""What is done to a payment on its way: a payer's step handed on, money captured, money given up."""

from uuid import UUID

from integrations.account import NotConfigured
from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.protocol import PayerStep
from jobs.payment_asking import ASK_PAUSE_MAX_S, ask, settled_as
from jobs.payment_calls import called, record, subject_of
from jobs.payment_sending import accepted_as
from jobs.payment_words import asked_of
from jobs.providers import Providers, Route
from jobs.work import Done, Later, Result, Work, backoff
from tenant_db.payments import cancelling, capturing, payer_steps, polling
from tenant_db.payments.polling import Question
from tenant_db.payments.rules import Cause


async def confirm_payment(work: Work, providers: Providers) -> Result:
    """Hand on what the payer entered, once: a code that was sent is never sent a second time.

    It is forgotten before the call. Where the provider can't be reached the payer enters it again;
    where no answer comes, the ladder asks what became of it.
    """
    payment_id = UUID(work.payload["payment_id"])
    found = await _route(work, providers, payment_id)
    if found is None:
        return Done()
    route, question = found
    async with work.tenant.transaction() as session:
        step_id = UUID(work.payload["step_id"])
        now = work.services.clock()
        values = await payer_steps.take_step(session, work.services.keyring, step_id, now)
    if values is None:
        return Done()
    step = PayerStep(values)
    try:
        accepted = await called(work, route, route.adapter.confirm_payment(asked_of(work, question), step))
    except (ProviderUnavailable, ProviderRejected, OutcomeUnknown) as error:
        why = error.message
        await record(work, route, payment_id, lambda s: payer_steps.lose_step(s, payment_id, why))
        if isinstance(error, OutcomeUnknown):
            await ask(work, route, question)
        return Done()
    await accepted_as(work, route, payment_id, accepted)
    return Done()


async def capture_payment(work: Work, providers: Providers) -> Result:
    """Have authorised money taken; the job's own id makes it safe to repeat."""
    payment_id = UUID(work.payload["payment_id"])
    async with work.tenant.reading() as session:
        amount = await capturing.wanted_capture(session, payment_id)
    found = await _route(work, providers, payment_id)
    if amount is None or found is None:
        return Done()
    route, question = found
    capture = route.adapter.capture_payment(asked_of(work, question), amount, work.id.hex)
    try:
        answer = await called(work, route, capture)
    except (ProviderUnavailable, OutcomeUnknown) as error:
        return Later(backoff(work.attempt, max_s=ASK_PAUSE_MAX_S), error.message)
    except ProviderRejected as error:
        why = error.message
        await record(work, route, payment_id, lambda s: capturing.refuse_capture(s, payment_id, why))
        await ask(work, route, question)
        return Done()
    await settled_as(work, route, payment_id, answer, Cause.JOB)
    return Done()


async def cancel_payment(work: Work, providers: Providers) -> Result:
    """Tell the provider to take no money; it may answer that it has taken it already."""
    payment_id = UUID(work.payload["payment_id"])
    found = await _route(work, providers, payment_id)
    if found is None:
        return Done()
    route, question = found
    try:
        cancel = route.adapter.cancel_payment(asked_of(work, question), work.id.hex)
        answer = await called(work, route, cancel)
    except (ProviderUnavailable, OutcomeUnknown) as error:
        return Later(backoff(work.attempt, max_s=ASK_PAUSE_MAX_S), error.message)
    except ProviderRejected as error:
        why = error.message
        await record(work, route, payment_id, lambda s: cancelling.refuse_cancel(s, payment_id, why))
        await ask(work, route, question)
        return Done()
    await settled_as(work, route, payment_id, answer, Cause.JOB)
    why = "the provider did not give it up"
    await record(work, route, payment_id, lambda s: cancelling.refuse_cancel(s, payment_id, why))
    return Done()


async def _route(work: Work, providers: Providers, payment_id: UUID) -> tuple[Route, Question] | None:
    """Whom to tell about a payment; None where the provider knows nothing of it, or can't be told."""
    async with work.tenant.reading() as session:
        question = await polling.question_of(session, payment_id)
    if question is None:
        return None
    subject = await subject_of(work, payment_id)
    try:
        return await providers.route(work.tenant, subject.account_id, work.kind), question
    except NotConfigured:
        return None
