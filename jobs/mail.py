"""E-mails: links to prove an address or set a password, and invitations."""

from collections.abc import Awaitable, Callable
from typing import Protocol
from uuid import UUID

from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderUnavailable
from jobs.work import Dead, Done, Handler, Later, Result, Work, backoff
from owner_db.tenants.models import Tenant
from owner_db.users.links import make_link
from owner_db.users.members import make_invitation_link

ATTEMPTS_MAX = 8


class SendMail(Protocol):
    """Hands one plain-text mail to the mail server; fails in the three ways of an outside call."""

    async def __call__(self, to: str, subject: str, text: str) -> None: ...


LINKS = {
    "verify_email": (
        "Confirm your e-mail address",
        (
            "Hello {name},\n\nconfirm that this is your address:\n\n{url}/verify-email?secret={secret}\n\n"
            "Did you not register with Hazina? Then ignore this mail.\n"
        ),
    ),
    "reset_password": (
        "Set a new password",
        (
            "Hello {name},\n\nset a new password within an hour:\n\n{url}/reset-password?secret={secret}\n\n"
            "Did you not ask for this? Then ignore this mail: your password stays as it is.\n"
        ),
    ),
}
INVITATION = (
    "You are invited to {business}",
    (
        "Hello,\n\nyou are invited to join {business} on Hazina as {role}:\n\n"
        "{url}/accept-invitation?secret={secret}\n\nThe invitation is good until {until:%d %B %Y}.\n"
    ),
)


def mail_handlers(send: SendMail) -> list[Handler]:
    """The jobs that send mail, by way of `send`."""

    async def send_link(work: Work) -> Result:
        return await _sent(work, send, _link_mail)

    async def send_invitation(work: Work) -> Result:
        return await _sent(work, send, _invitation_mail)

    return [
        Handler("send_link", send_link, attempts_max=ATTEMPTS_MAX),
        Handler("send_invitation", send_invitation, attempts_max=ATTEMPTS_MAX),
    ]


Mail = tuple[str, str, str]


async def _sent(work: Work, send: SendMail, written: Callable[[Work], Awaitable[Mail | None]]) -> Result:
    """Write the mail, commit the hash of its secret, then send. A repeat sends another secret."""
    mail = await written(work)
    if mail is None:
        return Done()
    try:
        await send(*mail)
    except (ProviderUnavailable, OutcomeUnknown) as error:
        # A mail that arrives twice does no harm; only its last secret counts.
        return Later(backoff(work.attempt), str(error))
    except ProviderRejected as refusal:
        return Dead(f"the mail server refused it: {refusal}")
    return Done()


async def _link_mail(work: Work) -> Mail | None:
    services = work.services
    async with services.owner.transaction() as session:
        made = await make_link(session, UUID(work.payload["mail_token_id"]), services.clock())
        if made is None:
            return None
        user, purpose, secret = made
        subject, text = LINKS[purpose]
        return user.email, subject, text.format(name=user.name, url=services.policy.public_url, secret=secret)


async def _invitation_mail(work: Work) -> Mail | None:
    services = work.services
    async with services.owner.transaction() as session:
        made = await make_invitation_link(session, UUID(work.payload["invitation_id"]), services.clock())
        if made is None:
            return None
        invitation, secret = made
        tenant = None if invitation.tenant_id is None else await session.get(Tenant, invitation.tenant_id)
        business = "Hazina" if tenant is None else tenant.name
        subject, text = INVITATION
        body = text.format(
            business=business,
            role=invitation.role,
            url=services.policy.public_url,
            secret=secret,
            until=invitation.expires_at,
        )
        return invitation.email, subject.format(business=business), body
