"""Sends one mail, and says of each failure whether it may have gone out."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Final, Literal

import aiosmtplib

from core.clock import Clock, utc_now
from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected, ProviderUnavailable

TIMEOUT_S: Final = 15.0
DEADLINE_S: Final = 45.0
SUBJECT_CHARACTERS_MAX: Final = 200
TEXT_CHARACTERS_MAX: Final = 100_000
PERMANENT: Final = range(500, 600)


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """How to reach the mail server."""

    host: str
    port: int
    mail_from: str
    """`Hazina <no-reply@example.com>`."""
    tls: Literal["none", "starttls", "tls"] = "none"
    user: str | None = None
    password: str | None = field(default=None, repr=False)


async def send_mail(settings: SmtpSettings, to: str, subject: str, text: str, clock: Clock = utc_now) -> None:
    """Hand one plain-text mail to the mail server.

    Raises:
        ProviderUnavailable: the server took nothing; send again later.
        ProviderRejected: the address, or the mail, is refused for good.
        OutcomeUnknown: the connection broke while the mail was handed over: it may arrive.
    """
    message = _compose(settings, to, subject, text, clock)
    try:
        async with asyncio.timeout(DEADLINE_S):
            server = await _connect(settings)
    except TimeoutError as error:
        raise ProviderUnavailable("no connection to the mail server in time") from error
    try:
        async with asyncio.timeout(DEADLINE_S):
            await _hand_over(server, message)
    except TimeoutError as error:
        raise OutcomeUnknown(str(message["Message-ID"]), "the mail server did not answer") from error
    finally:
        await _part(server)


def _compose(settings: SmtpSettings, to: str, subject: str, text: str, clock: Clock) -> EmailMessage:
    name, address = parseaddr(settings.mail_from)
    sender = _address(address, name)
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = sender
    message["To"] = _address(to)
    # A line break would begin a header of the writer's choice.
    message["Subject"] = " ".join(subject.split())[:SUBJECT_CHARACTERS_MAX]
    message["Date"] = format_datetime(clock())
    message["Message-ID"] = make_msgid(domain=sender.domain)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text[:TEXT_CHARACTERS_MAX])
    return message


def _address(addr_spec: str, display_name: str = "") -> Address:
    try:
        address = Address(display_name, addr_spec=addr_spec)
    except (HeaderParseError, ValueError, IndexError) as error:
        raise _refused_address() from error
    if not addr_spec.isascii() or not addr_spec.isprintable() or " " in addr_spec or not address.domain:
        raise _refused_address()
    return address


def _refused_address() -> ProviderRejected:
    return ProviderRejected("address", "This is no mail address.", FailureReason.DECLINED)


async def _connect(settings: SmtpSettings) -> aiosmtplib.SMTP:
    server = aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        username=settings.user,
        password=settings.password,
        # Else the machine's name is looked up, which can take seconds.
        local_hostname=parseaddr(settings.mail_from)[1].rpartition("@")[2] or "localhost",
        timeout=TIMEOUT_S,
        use_tls=settings.tls == "tls",
        start_tls=settings.tls == "starttls",
    )
    try:
        await server.connect()
    except (aiosmtplib.SMTPException, OSError) as error:
        # Refused credentials are ours to correct; the mail waits for that.
        raise ProviderUnavailable(f"no connection to the mail server: {type(error).__name__}") from error
    return server


async def _hand_over(server: aiosmtplib.SMTP, message: EmailMessage) -> None:
    try:
        await server.send_message(message)
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refusal(error.recipients[0]) from error
    except aiosmtplib.SMTPResponseException as error:
        raise _refusal(error) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise OutcomeUnknown(str(message["Message-ID"]), type(error).__name__) from error


def _refusal(error: aiosmtplib.SMTPResponseException) -> ProviderRejected | ProviderUnavailable:
    # The server's text often repeats the address, which does not belong into logs.
    answer = f"the mail server answered {error.code}"
    if error.code in PERMANENT:
        return ProviderRejected(str(error.code), answer, FailureReason.DECLINED)
    return ProviderUnavailable(answer)


async def _part(server: aiosmtplib.SMTP) -> None:
    # The mail is handed over by now, or is not: a clumsy goodbye changes nothing.
    with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        async with asyncio.timeout(1):
            await server.quit()
    server.close()
