"""Asks M-Pesa in an operator's name: written down before it is sent, answered later at a URL of its own."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

import structlog

from integrations.account import NotConfigured
from integrations.errors import BadMessage, FailureReason, ProviderRejected, ProviderUnavailable
from integrations.mpesa.client import OPERATOR_MISSING, MpesaClient
from integrations.mpesa.events import read_stk_result
from integrations.mpesa.operating import MpesaOperator, Taken
from integrations.protocol import Paid
from jobs.payment_calls import record
from jobs.providers import Providers, Route
from jobs.work import Done, Later, Result, Work, backoff
from tenancy.outbox import announce
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import RequestKind, RequestState
from tenant_db.channels.requests import NewRequest, end_request, open_request, request_taken
from tenant_db.credentials.names import SecretName
from tenant_db.inbox.models import TenantInbox
from tenant_db.payments.models import Payment
from tenant_db.refunds.models import Refund

QUEUE: Final = "platform"
CHASE: Final = "chase_request"
ITEM_BYTES: Final = 16
"""128 bits: nobody guesses the address of a result."""
PATIENCE: Final = timedelta(minutes=2)
"""How long a result may take before nobody waits for it; M-Pesa tells it once."""
ASK_ATTEMPTS_MAX: Final = 12

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Errand:
    """What an operator is to be asked, and about what."""

    kind: RequestKind
    channel_id: UUID
    subject_id: UUID
    details: Mapping[str, str | int] = field(default_factory=dict)


async def ask_operator(
    work: Work, route: Route, errand: Errand, ask: Callable[[MpesaOperator, str], Awaitable[Taken]]
) -> None:
    """Write the request down, send it, and keep M-Pesa's ids; `chase_request` looks after it.

    Raises:
        NotConfigured: the account has no callback address.
        ProviderUnavailable: it was not taken; ask again.
        ProviderRejected: refused for good, or the channel has no operator.
    """
    operator = _operator(route)
    request_id, url = await open_errand(work, route, errand)
    try:
        taken = await ask(operator, url)
    except (ProviderUnavailable, ProviderRejected) as error:
        code, why = getattr(error, "code", ""), error.message
        await record(
            work, route, errand.subject_id, lambda session: _refused(session, request_id, work, code, why)
        )
        raise
    ids = taken.conversation_id, taken.originator_conversation_id
    await record(work, route, errand.subject_id, lambda session: request_taken(session, request_id, *ids))


async def open_errand(work: Work, route: Route, errand: Errand) -> tuple[UUID, str]:
    """Write a request down before it is sent; gives its id, and the URL its answer will come to.

    Raises:
        NotConfigured: the account has no callback address.
    """
    item = secrets.token_hex(ITEM_BYTES)
    url = route.callback_url(work.services.policy.public_url, item)
    new = NewRequest(
        kind=errand.kind,
        channel_id=errand.channel_id,
        subject_id=errand.subject_id,
        item_hash=sha256(item.encode()).digest(),
        deadline_at=work.services.clock() + PATIENCE,
        details=dict(errand.details),
    )
    async with work.tenant.transaction() as session:
        request = await open_request(session, new)
        announce(session, CHASE, queue=QUEUE, after_s=PATIENCE.total_seconds(), request_id=str(request.id))
    return request.id, url


async def url_of_question(work: Work, route: Route, refund_id: UUID) -> str:
    """Where the answer to a question comes to, of a provider that answers later; empty for the others."""
    if SecretName.HOOK_TOKEN not in route.secrets.by_name:
        return ""
    async with work.tenant.reading() as session:
        refund = await session.get_one(Refund, refund_id)
        channel_id = (await session.get_one(Payment, refund.payment_id)).channel_id
    if channel_id is None:
        return ""
    _, url = await open_errand(work, route, Errand(RequestKind.REFUND, channel_id, refund_id))
    return url


async def check_balance(work: Work, providers: Providers) -> Result:
    """Ask for a channel's balance; the answer changes the channel when it comes."""
    channel_id = UUID(work.payload["channel_id"])
    try:
        route = await providers.route_of_channel(work.tenant, channel_id, work.kind)
        errand = Errand(RequestKind.BALANCE, channel_id, channel_id)
        await ask_operator(work, route, errand, lambda operator, url: operator.ask_balance(url))
    except (NotConfigured, ProviderUnavailable) as lack:
        return Later(backoff(work.attempt), str(lack))
    except ProviderRejected as refusal:
        log.warning("balance_not_asked", channel_id=str(channel_id), why=refusal.message)
    return Done()


async def ask_receipt(work: Work, providers: Providers) -> Result:
    """Ask M-Pesa what a callback's receipt paid, where the callback did not fit its payment."""
    payment_id, inbox_id = UUID(work.payload["payment_id"]), UUID(work.payload["inbox_id"])
    async with work.tenant.reading() as session:
        payment = await session.get_one(Payment, payment_id)
        message = await session.get_one(TenantInbox, inbox_id)
    receipt = _receipt_told(message)
    if receipt is None or payment.channel_id is None or payment.receipt is not None:
        return Done()
    try:
        route = await providers.route(work.tenant, payment.provider_account_id, work.kind)
        errand = Errand(RequestKind.RECEIPT, payment.channel_id, payment_id, {"receipt": receipt})
        await ask_operator(work, route, errand, lambda who, url: who.ask_status(url, receipt=receipt))
    except (NotConfigured, ProviderUnavailable) as lack:
        return Later(backoff(work.attempt), str(lack))
    except ProviderRejected as refusal:
        # Many channels have no operator: the query of the prompt decides alone.
        log.info("receipt_not_asked", payment_id=str(payment_id), why=refusal.message)
    return Done()


def _operator(route: Route) -> MpesaOperator:
    if not isinstance(route.adapter, MpesaClient):
        raise ProviderRejected("operator", OPERATOR_MISSING, FailureReason.CONFIGURATION)
    return route.adapter.operator()


async def _refused(session: TenantSession, request_id: UUID, work: Work, code: str, why: str) -> None:
    now = work.services.clock()
    await end_request(session, request_id, RequestState.REFUSED, now, code=code, message=why)


def _receipt_told(message: TenantInbox) -> str | None:
    try:
        told = read_stk_result(message.body).answer
    except BadMessage:
        return None
    return told.receipt if isinstance(told, Paid) else None
