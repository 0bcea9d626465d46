"""E-mails to a business's members about what has happened: no secret, and nothing to click."""

from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from core.ids import Kind, outside
from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderUnavailable
from jobs.mail import ATTEMPTS_MAX, Mail, SendMail
from jobs.work import Dead, Done, Handler, Later, Result, Work, backoff
from owner_db.tenants.models import Tenant
from owner_db.users.members import addresses_with
from tenancy.roles import Scope
from tenant_db.webhooks.models import WebhookEndpoint
from tenant_db.webhooks.rules import DisabledReason

MAIL_DISABLED: Final = "mail_webhook_disabled"
MAIL_QUEUE: Final = "platform"
WHY: Final = {
    DisabledReason.FAILING: "Nothing has reached it for some three days.",
    DisabledReason.GONE: "It answered that it is gone for good (HTTP 410).",
}
SUBJECT: Final = "A webhook endpoint of {business} is switched off"
TEXT: Final = (
    "Hello,\n\nHazina no longer calls the webhook endpoint {endpoint} at {host}. {why}\n\n"
    "Once it works again, switch it on with enableWebhookEndpoint. What it was not told is listed by "
    "webhookDeliveries, and redeliverWebhook sends one of those again.\n"
)

log = structlog.get_logger()


def notice_handlers(send: SendMail) -> list[Handler]:
    """The jobs that mail notices, by way of `send`."""

    async def mail_webhook_disabled(work: Work) -> Result:
        return await tell_of_disabled(work, send)

    return [Handler(MAIL_DISABLED, mail_webhook_disabled, attempts_max=ATTEMPTS_MAX)]


async def tell_of_disabled(work: Work, send: SendMail) -> Result:
    """Tell everybody who could switch the endpoint on again; nobody, where somebody has done it already.

    A repeat after an outage may tell some of them twice.
    """
    endpoint_id = UUID(work.payload["endpoint_id"])
    async with work.tenant.reading() as session:
        endpoint = await session.get(WebhookEndpoint, endpoint_id)
    if endpoint is None:
        return Dead("there is no such endpoint here")
    why = None if endpoint.disabled_reason is None else WHY.get(DisabledReason(endpoint.disabled_reason))
    if endpoint.is_enabled or why is None:
        return Done()
    try:
        for mail in await _mails(work, endpoint, why):
            await _send(send, mail)
    except (ProviderUnavailable, OutcomeUnknown) as error:
        return Later(backoff(work.attempt), str(error))
    return Done()


async def _mails(work: Work, endpoint: WebhookEndpoint, why: str) -> list[Mail]:
    async with work.services.owner.reading() as session:
        addresses = await addresses_with(session, work.tenant.id, Scope.WEBHOOKS_WRITE)
        tenant = await session.get_one(Tenant, work.tenant.id)
    text = TEXT.format(
        endpoint=outside(Kind.WEBHOOK_ENDPOINT, endpoint.id),
        # The rest of the address may hold a secret of theirs.
        host=urlsplit(endpoint.url).hostname,
        why=why,
    )
    return [(address, SUBJECT.format(business=tenant.name), text) for address in addresses]


async def _send(send: SendMail, mail: Mail) -> None:
    try:
        await send(*mail)
    except ProviderRejected as refusal:
        # One address that is refused for good must not keep the others from knowing.
        log.warning("notice_refused", notice=MAIL_DISABLED, why=str(refusal))
