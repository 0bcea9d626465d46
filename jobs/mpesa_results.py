"""What M-Pesa answers later to an operator's requests, and what follows from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.alerts import AlertKind
from core.ids import Kind, outside
from integrations.errors import BadMessage, FailureReason
from integrations.mpesa.operator_codes import ALREADY_REVERSED, Verdict
from integrations.mpesa.results import OperatorResult, read_balances, read_result, read_status
from integrations.protocol import RefundAnswer, Refunded, RefundFailed
from jobs.channel_proving import NO_RESULT, accept_channel, refuse_channel
from jobs.payment_calls import QUEUE as REFUNDS_QUEUE
from jobs.providers import Providers
from jobs.quarantine import alert_quarantined
from jobs.refunds import ASK, SUBMIT, refund_answered
from jobs.work import Done, Later, Result, Work
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.alerts.raising import raise_alert
from tenant_db.channels.balances import note_balance
from tenant_db.channels.machine import RequestKind, RequestState
from tenant_db.channels.models import Channel, ProviderRequest
from tenant_db.channels.requests import end_request, request_of_item
from tenant_db.inbox.models import TenantInbox
from tenant_db.inbox.processing import close, quarantine, take
from tenant_db.payments.matching import NewConfirmation, settle_by_confirmation
from tenant_db.payments.models import Payment
from tenant_db.refunds import submitting
from tenant_db.refunds.machine import FAILED, REQUESTED, REVERSED, SUBMITTING, SUCCEEDED
from tenant_db.refunds.models import Refund

RESULT: Final = "mpesa_result"
TIMEOUT: Final = "mpesa_timeout"
NEVER_ARRIVED_AFTER: Final = timedelta(minutes=30)
"""A reversal that M-Pesa does not know may wait in its queue for as long; sent again, it is R000001."""
SOON_S: Final = 1.0
NOBODY: Final = "no request has this address"
ANOTHER: Final = "it answers another request than its address says"


class _Aside(Exception):
    """The message proves nothing, and is kept as it came."""


class _TooSoon(Exception):
    """Our own request is still being answered, and the answer would undo what the message says."""


@dataclass(frozen=True, slots=True)
class _Given:
    """One refund, with what it gives back."""

    refund: Refund
    payment: Payment


async def process_result(work: Work, providers: Providers, message: TenantInbox) -> Result:
    """Give an operator's result its effect, then mark the message; again is harmless.

    What can't be read or does not fit is quarantined as it came.
    """
    try:
        await _follow(work, providers, message)
    except (BadMessage, _Aside) as error:
        await _mark(work, message.id, str(error))
    except _TooSoon:
        return Later(SOON_S, "our own request is still being answered")
    else:
        await _mark(work, message.id, None)
    return Done()


async def chase_request(work: Work, _providers: Providers) -> Result:
    """Give up waiting for a result that has not come."""
    request_id = UUID(work.payload["request_id"])
    async with work.tenant.reading() as session:
        request = await session.get_one(ProviderRequest, request_id)
    if await _end(work, request, RequestState.TIMED_OUT, "", NO_RESULT):
        await _unanswered(work, request, NO_RESULT)
    return Done()


async def _follow(work: Work, providers: Providers, message: TenantInbox) -> None:
    if message.item_hash is None:
        raise _Aside(NOBODY)
    # The body of a timeout is documented nowhere: that it came is all it says.
    result = None if message.kind == TIMEOUT else read_result(message.body)
    channel_id = UUID(message.source.partition(":")[2])
    async with work.tenant.reading() as session:
        request = await request_of_item(session, message.item_hash)
        given = None if request is not None else await _given(session, message.item_hash)
    if request is not None and request.channel_id == channel_id:
        await _follow_request(work, providers, request, result)
    elif given is not None and given.payment.channel_id == channel_id:
        await _follow_reversal(work, given, result)
    else:
        raise _Aside(NOBODY)


async def _given(session: TenantSession, item_hash: bytes) -> _Given | None:
    refund = await session.scalar(select(Refund).where(Refund.item_hash == item_hash))
    if refund is None:
        return None
    return _Given(refund, await session.get_one(Payment, refund.payment_id))


async def _follow_request(
    work: Work, providers: Providers, request: ProviderRequest, result: OperatorResult | None
) -> None:
    if result is None:
        if await _end(work, request, RequestState.TIMED_OUT, "", NO_RESULT):
            await _unanswered(work, request, NO_RESULT)
        return
    if request.conversation_id not in (None, result.conversation_id):
        raise _Aside(ANOTHER)
    # The effects are harmless to repeat, so a run that dies between the two repeats them.
    await _EFFECTS[RequestKind(request.kind)](work, providers, request, result)
    await _end(work, request, RequestState.ANSWERED, result.code, result.told)


async def _verified(
    work: Work, providers: Providers, request: ProviderRequest, result: OperatorResult
) -> None:
    if request.state not in (RequestState.SENDING, RequestState.WAITING):
        return
    version = int(request.details["secrets_version"])
    if not result.is_done:
        await refuse_channel(work, request.channel_id, version, result.told)
        return
    await _balance_told(work, providers, request, result)
    await accept_channel(work, providers, request.channel_id, version)


async def _balance_told(
    work: Work, _providers: Providers, request: ProviderRequest, result: OperatorResult
) -> None:
    async with work.tenant.transaction() as session:
        if result.is_done:
            accounts = [balance.available for balance in read_balances(result)]
            await note_balance(session, request.channel_id, accounts, work.services.clock())
        elif result.meaning.reason is FailureReason.CONFIGURATION:
            subject = outside(Kind.CHANNEL, request.channel_id)
            await raise_alert(
                session, AlertKind.CREDENTIALS_REFUSED, subject, result.told, details={"code": result.code}
            )


async def _receipt_told(
    work: Work, _providers: Providers, request: ProviderRequest, result: OperatorResult
) -> None:
    """Treat a receipt that M-Pesa vouches for as the confirmation it stands in for."""
    status = read_status(result)
    receipt = str(request.details["receipt"])
    if not (result.is_done and status.is_completed) or status.amount is None or status.receipt != receipt:
        return
    async with work.tenant.transaction() as session:
        payment = await session.get_one(Payment, request.subject_id)
        channel = await session.get_one(Channel, request.channel_id)
        now = work.services.clock()
        new = NewConfirmation(
            channel_id=channel.id,
            short_code=channel.short_code,
            receipt=receipt,
            amount=status.amount,
            account=payment.reference,
            payer="",
            paid_at=now,
        )
        await settle_by_confirmation(session, new, now)


async def _refund_told(
    work: Work, _providers: Providers, request: ProviderRequest, result: OperatorResult
) -> None:
    """What a status query says of a reversal whose own result was lost."""
    if not result.is_done:
        return
    async with work.tenant.reading() as session:
        refund = await session.get_one(Refund, request.subject_id)
        payment = await session.get_one(Payment, refund.payment_id)
    status, amount = read_status(result), refund.amount
    reference = refund.provider_reference
    if status.amount not in (None, amount):
        raise _Aside("it tells of another amount than the refund's")
    if reference is None:
        if status.is_reversed and payment.receipt is not None:
            await refund_answered(work, refund.id, Refunded(payment.receipt, amount))
        elif status.is_completed:
            await _send_again(work, refund)
    elif status.is_completed:
        await refund_answered(work, refund.id, Refunded(reference, amount))
    elif status.is_void and refund.state is not SUCCEEDED:
        word = result.first("TransactionStatus")
        await refund_answered(work, refund.id, RefundFailed(word, f"M-Pesa says {word}.", reference))


async def _follow_reversal(work: Work, given: _Given, result: OperatorResult | None) -> None:
    refund = given.refund
    if result is None:
        await _ask(work, refund.id)
        return
    if refund.provider_reference not in (None, result.conversation_id, given.payment.receipt):
        raise _Aside(ANOTHER)
    verdict = result.meaning.verdict
    if verdict is Verdict.REPEATED and refund.state is SUBMITTING:
        raise _TooSoon
    if verdict in (Verdict.REPEATED, Verdict.UNSURE):
        await _ask(work, refund.id, result if verdict is Verdict.REPEATED else None)
        return
    is_done = verdict is Verdict.DONE
    if refund.state in (SUCCEEDED, FAILED, REVERSED):
        if is_done is (refund.state is FAILED):
            # The first result counts; M-Pesa is asked, and people see what contradicts.
            await _ask(work, refund.id)
            raise _Aside("it contradicts the refund's first result")
        return
    await refund_answered(work, refund.id, _answer(given, result))


def _answer(given: _Given, result: OperatorResult) -> RefundAnswer:
    reference = result.conversation_id or None
    if result.meaning.verdict is not Verdict.DONE:
        return RefundFailed(result.code, result.told, reference)
    original = result.first("OriginalTransactionID")
    if original not in ("", given.payment.receipt):
        raise _Aside("it gave back another receipt")
    told = result.amount() or given.refund.amount
    return Refunded(given.refund.provider_reference or reference or str(given.payment.receipt), told)


async def _send_again(work: Work, refund: Refund) -> None:
    now, sent_at = work.services.clock(), refund.submitted_at
    if sent_at is None or now - sent_at < NEVER_ARRIVED_AFTER:
        return
    async with work.tenant.transaction() as session:
        if await submitting.send_again(session, refund.id, sent_at) is REQUESTED:
            announce(session, SUBMIT, queue=REFUNDS_QUEUE, refund_id=str(refund.id))


async def _ask(work: Work, refund_id: UUID, repeat: OperatorResult | None = None) -> None:
    """Ask how a refund stands; after a `repeat` by its receipt, since its own request did nothing."""
    async with work.tenant.transaction() as session:
        if repeat is not None:
            is_back = repeat.code == ALREADY_REVERSED
            await submitting.repeats(session, refund_id, repeat.told if is_back else None)
        announce(session, ASK, queue=REFUNDS_QUEUE, refund_id=str(refund_id))


async def _unanswered(work: Work, request: ProviderRequest, why: str) -> None:
    """What follows where no result came."""
    if request.kind == RequestKind.VERIFICATION:
        await refuse_channel(work, request.channel_id, int(request.details["secrets_version"]), why)


async def _end(work: Work, request: ProviderRequest, to: RequestState, code: str, message: str) -> bool:
    async with work.tenant.transaction() as session:
        now: datetime = work.services.clock()
        return await end_request(session, request.id, to, now, code=code, message=message)


async def _mark(work: Work, inbox_id: UUID, why: str | None) -> None:
    async with work.tenant.transaction() as session:
        message = await take(session, inbox_id)
        if message is None:
            return
        if why is None:
            close(message, work.services.clock())
            return
        quarantine(message, why, work.services.clock())
        alert_quarantined(session, message, why)


_Effect = Callable[[Work, Providers, ProviderRequest, OperatorResult], Awaitable[None]]

_EFFECTS: Final[dict[RequestKind, _Effect]] = {
    RequestKind.VERIFICATION: _verified,
    RequestKind.BALANCE: _balance_told,
    RequestKind.RECEIPT: _receipt_told,
    RequestKind.REFUND: _refund_told,
}
