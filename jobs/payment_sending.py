"""Sends payments to their providers; one that surely was not taken may go to the next."""

import secrets
from hashlib import sha256
from typing import Final
from uuid import UUID

from integrations.account import NotConfigured
from integrations.errors import FailureReason as WhyNot
from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.protocol import Accepted
from jobs.payment_calls import QUESTIONS, Subject, called, record, subject_of
from jobs.payment_rows import accepted_at_once
from jobs.payment_words import as_answer, intent_of
from jobs.providers import Providers, Route, poll_ladder_s
from jobs.work import Done, Later, Result, Work, backoff
from tenancy.outbox import announce_as
from tenant_db.payments import submitting
from tenant_db.payments.machine import CREATED, PaymentStatus
from tenant_db.payments.rerouting import next_account, reroute
from tenant_db.payments.rules import POLL_LADDER_S, FailureReason, NotPaid
from tenant_db.payments.submitting import Claim
from tenant_db.payments.submitting_at_once import Asking, Seen, claim_at_once

ITEM_BYTES: Final = 16
"""128 bits: nobody guesses the address of a callback."""
SEND_RETRY_MAX_S: Final = 30.0
"""The payer waits: a provider that comes back is asked soon."""
NO_ANSWER: Final = "its provider does not answer at present"


async def submit_payment(work: Work, providers: Providers) -> Result:
    """Ask the provider to collect one payment; running it again is harmless.

    The provider is built before the claim, so a missing key strands nothing. A run that finds
    the payment already `submitting` is a re-run after a crash: `claim` makes it `unknown`, and
    the poll ladder asks the provider. Only what surely sent nothing is tried again, and where we
    chose the account, elsewhere.
    """
    item = secrets.token_hex(ITEM_BYTES)
    subject = await subject_of(work, UUID(work.payload["payment_id"]))
    if subject.is_over(work.services.clock()):
        # Nothing will be sent, so no provider is needed to say so.
        await _claim(work, subject.payment_id, item, POLL_LADDER_S)
        return Done()
    try:
        route = await providers.route(work.tenant, subject.account_id, work.kind)
        url = _callback_url(work, route, subject, item)
    except NotConfigured as lack:
        if await _moved(work, providers, subject, str(lack)):
            return Later(0, str(lack))
        return await _refuse(work, subject.payment_id, str(lack))
    if not await work.services.circuits.allow(work.tenant.id, subject.account_id):
        return await _elsewhere_or_later(work, providers, subject, NO_ANSWER)
    claim = await _claim_of(work, subject, item, poll_ladder_s(route.settings, POLL_LADDER_S))
    if not isinstance(claim, Claim):
        return Done()
    return await _send(work, providers, route, claim, url, subject)


def _callback_url(work: Work, route: Route, subject: Subject, item: str) -> str:
    """Raises NotConfigured where it is missing, or the platform has switched the provider off."""
    if not route.takes_payments:
        raise NotConfigured(f"{route.account.provider} takes no new payments")
    if subject.channel_id is None:
        return ""
    return route.callback_url(work.services.policy.public_url, item)


async def _claim_of(
    work: Work, subject: Subject, item: str, ladder_s: tuple[int, ...]
) -> Claim | PaymentStatus:
    asking = Asking(QUESTIONS, "poll_payment", ladder_s[0])
    claim = await claim_at_once(
        work.tenant,
        Seen(subject.payment_id, subject.version, subject.store_id),
        sha256(item.encode()).digest(),
        work.services.clock(),
        asking,
    )
    return claim or await _claim(work, subject.payment_id, item, ladder_s)


async def _claim(work: Work, payment_id: UUID, item: str, ladder_s: tuple[int, ...]) -> Claim | PaymentStatus:
    async with work.tenant.transaction() as session:
        now = work.services.clock()
        claim = await submitting.claim(session, payment_id, sha256(item.encode()).digest(), now)
        if isinstance(claim, Claim) and claim.is_first:
            # In the claim's own commit: whatever happens to this run, somebody asks.
            # With the payment's id: whoever ends the payment ends the asking without a search.
            id_, after_s = str(payment_id), ladder_s[0]
            announce_as(session, payment_id, "poll_payment", queue=QUESTIONS, after_s=after_s, payment_id=id_)
    return claim


async def _send(  # noqa: PLR0917 - what one sending is made of
    work: Work, providers: Providers, route: Route, claim: Claim, url: str, subject: Subject
) -> Result:
    id_ = claim.payment_id
    try:
        accepted = await called(
            work, route, route.adapter.create_payment(intent_of(work, claim.attempt, url))
        )
    except ProviderUnavailable as error:
        state = await _release(work, route, claim, error.message)
        if state is not CREATED:
            return Done()
        return await _elsewhere_or_later(work, providers, subject, error.message)
    except OutcomeUnknown as error:
        doubt = error.message
        await record(work, route, id_, lambda session: submitting.doubt(session, id_, doubt))
    except ProviderRejected as error:
        if error.reason is WhyNot.CONFIGURATION and await _has_next(work, providers, id_):
            # Keys that are refused took nothing; whoever is next may.
            state = await _release(work, route, claim, error.message)
            if state is CREATED and await _moved(work, providers, subject, error.message):
                return Later(0, error.message)
            return await _refuse(work, id_, error.message)
        await _reject(work, route, id_, error)
    else:
        if not await accepted_at_once(work, route, claim, accepted):
            await accepted_as(work, route, id_, accepted)
    return Done()


async def accepted_as(work: Work, route: Route, payment_id: UUID, accepted: Accepted) -> PaymentStatus:
    """Write down that the provider took an attempt, and how it stands there; gives the payment's state."""
    ids = accepted.provider_reference, accepted.request_reference
    answer, now = as_answer(accepted.answer), work.services.clock()
    return await record(
        work, route, payment_id, lambda session: submitting.accept(session, payment_id, ids, answer, now)
    )


async def _release(work: Work, route: Route, claim: Claim, why: str) -> PaymentStatus:
    id_, now = claim.payment_id, work.services.clock()
    return await record(
        work, route, id_, lambda session: submitting.release(session, id_, claim.item_hash, why, now)
    )


async def _reject(work: Work, route: Route, payment_id: UUID, error: ProviderRejected) -> None:
    refusal, now = (
        NotPaid(FailureReason(error.reason.value), error.code, error.message),
        work.services.clock(),
    )
    await record(
        work, route, payment_id, lambda session: submitting.reject(session, payment_id, refusal, now)
    )


async def _elsewhere_or_later(work: Work, providers: Providers, subject: Subject, why: str) -> Result:
    if await _moved(work, providers, subject, why):
        return Later(0, why)
    return Later(backoff(work.attempt, max_s=SEND_RETRY_MAX_S), why)


async def _has_next(work: Work, providers: Providers, payment_id: UUID) -> bool:
    offers = await providers.offers()
    async with work.tenant.reading() as session:
        return await next_account(session, payment_id, offers, work.services.circuits) is not None


async def _moved(work: Work, providers: Providers, subject: Subject, why: str) -> bool:
    """Whether a payment that surely was not taken has gone to another account, to be sent there now."""
    offers, now = await providers.offers(), work.services.clock()
    async with work.tenant.transaction() as session:
        to = await next_account(session, subject.payment_id, offers, work.services.circuits)
        if to is None:
            return False
        return await reroute(session, subject.payment_id, subject.account_id, to, why=why, now=now)


async def _refuse(work: Work, payment_id: UUID, why: str) -> Result:
    async with work.tenant.transaction() as session:
        refusal = NotPaid(FailureReason.CONFIGURATION, "", why)
        await submitting.refuse(session, payment_id, refusal, work.services.clock())
    return Done()
