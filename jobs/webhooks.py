"""Delivers webhooks to tenants, one endpoint's messages at a time and in order."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Final
from uuid import UUID

from core.alerts import AlertKind
from core.ids import Kind, outside
from integrations.webhooks_out.addresses import Network
from integrations.webhooks_out.sending import OutgoingWebhook, deliver
from jobs.mail_notices import MAIL_DISABLED, MAIL_QUEUE
from jobs.work import Done, Handler, Later, Result, Work
from tenancy.audit import SYSTEM, record_audit
from tenancy.outbox import announce, somebody_comes
from tenant_db.alerts.raising import raise_alert
from tenant_db.webhooks import delivering
from tenant_db.webhooks.delivering import Answered, Message, Target
from tenant_db.webhooks.forgetting import AT_ONCE, forget_deliveries
from tenant_db.webhooks.rules import DisabledReason

FORGET: Final = "forget_webhooks"
RUN_S: Final = 30.0
"""With the last message's own time, within what a job may take."""
DISABLED: Final = {
    DisabledReason.FAILING: "Nothing has reached this webhook endpoint for some three days; it is disabled.",
    DisabledReason.GONE: "This webhook endpoint answered that it is gone (410); it is disabled.",
}
ATTEMPTS_MAX: Final = 3_000
"""Runs of one job: it comes back while messages wait for their next try."""
PATIENCE_S: Final = 2.0
"""While another run delivers to the same endpoint."""


def webhook_handlers(allowed: Sequence[Network]) -> list[Handler]:
    """The jobs of webhooks; `allowed` are private networks that may be called: for development."""
    return [
        Handler("deliver_webhooks", partial(deliver_webhooks, allowed=allowed), attempts_max=ATTEMPTS_MAX),
        Handler(FORGET, forget_webhooks, attempts_max=ATTEMPTS_MAX),
    ]


async def deliver_webhooks(work: Work, *, allowed: Sequence[Network]) -> Result:
    """Send what waits for one endpoint; a run that comes twice waits, and finds nothing to do."""
    endpoint_id, services = UUID(work.payload["endpoint_id"]), work.services
    async with work.tenant.transaction() as session:
        target = await delivering.take_endpoint(session, services.keyring, endpoint_id, services.clock())
        if isinstance(target, Target):
            subject = outside(Kind.WEBHOOK_ENDPOINT, endpoint_id)
            record_audit(session, SYSTEM, "open_secrets", subject=subject, details={"purpose": work.kind})
    if target is None:
        return Done()
    if isinstance(target, datetime):
        return await _later(work, endpoint_id, PATIENCE_S, "another run delivers to this endpoint")
    try:
        return await _drain(work, target, allowed)
    finally:
        async with work.tenant.transaction() as session:
            await delivering.leave_endpoint(session, endpoint_id)


async def forget_webhooks(work: Work) -> Result:
    """Delete the log of what was delivered a month ago, in small steps; again is harmless."""
    began = monotonic()
    while monotonic() - began < RUN_S:
        async with work.tenant.transaction() as session:
            if await forget_deliveries(session, work.services.clock()) < AT_ONCE:
                return Done()
    return Later(0, "more is old")


async def _drain(work: Work, target: Target, allowed: Sequence[Network]) -> Result:
    began = monotonic()
    while monotonic() - began < RUN_S:
        now = work.services.clock()
        async with work.tenant.reading() as session:
            found = await delivering.next_message(session, target.endpoint_id, now)
        if found is None:
            return Done()
        if isinstance(found, datetime):
            wait_s = max(0.1, (found - now).total_seconds())
            return await _later(work, target.endpoint_id, wait_s, "a message waits for its next try")
        if not await _deliver(work, target, found, allowed):
            return Done()
    return Later(0, "more is waiting")


async def _later(work: Work, endpoint_id: UUID, delay_s: float, why: str) -> Result:
    """Come back, unless another job of this endpoint comes by then."""
    by = work.services.clock() + timedelta(seconds=delay_s)
    async with work.tenant.reading() as session:
        if await somebody_comes(session, work.kind, by=by, endpoint_id=str(endpoint_id)):
            return Done()
    return Later(delay_s, why)


async def _deliver(work: Work, target: Target, message: Message, allowed: Sequence[Network]) -> bool:
    """Send one message; false where the endpoint is no longer to be told anything."""
    outgoing = OutgoingWebhook(
        url=target.url,
        message_id=outside(Kind.WEBHOOK_DELIVERY, message.id),
        event=message.event,
        occurred_at=message.occurred_at,
        data=message.data,
        secrets=target.secrets,
    )
    ended = await deliver(outgoing, work.services.clock(), allowed)
    answered = Answered(ended.status, ended.response, ended.error, ended.duration_ms)
    async with work.tenant.transaction() as session:
        now = work.services.clock()
        reason = await delivering.record_try(session, target, message.id, answered, now)
        if reason is not None:
            subject = outside(Kind.WEBHOOK_ENDPOINT, target.endpoint_id)
            details = {"reason": reason.value}
            record_audit(session, SYSTEM, "disable_webhook_endpoint", subject=subject, details=details)
            announce(session, MAIL_DISABLED, queue=MAIL_QUEUE, endpoint_id=str(target.endpoint_id))
            await raise_alert(session, AlertKind.WEBHOOK_DISABLED, subject, DISABLED[reason])
    return reason is None
