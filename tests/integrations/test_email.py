import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from integrations.email.client import SmtpSettings, send_mail
from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderUnavailable
from tests.sandbox import RunningSandbox

SETTINGS = SmtpSettings("127.0.0.1", 9, "Hazina <no-reply@hazina.example>")


class Stubborn:
    """A mail server that answers as it is told; `""` cuts the connection."""

    def __init__(self, recipient: str = "250 OK", data: str = "250 OK") -> None:
        self.recipient = recipient
        self.data = data

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        if not self.data:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return self.data or "250 OK"


@asynccontextmanager
async def mail_server(handler: Stubborn) -> AsyncIterator[SmtpSettings]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="test", loop=loop, ident="test"), "127.0.0.1", 0
    )
    try:
        yield replace(SETTINGS, port=server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


async def test_a_mail_arrives_as_it_was_written(sandbox: RunningSandbox) -> None:
    assert sandbox.mail_port is not None
    settings = replace(SETTINGS, port=sandbox.mail_port)

    await send_mail(settings, "jane@shop.example", "Karibu, Jané", "Öffne https://pay.example/x\n")

    (mail,) = await sandbox.mails("jane@shop.example")
    assert mail["subject"] == "Karibu, Jané"
    assert mail["text"].strip() == "Öffne https://pay.example/x"
    assert mail["sender"] == "Hazina <no-reply@hazina.example>"
    assert mail["to"] == ["jane@shop.example"]


async def test_a_subject_cant_begin_a_header(sandbox: RunningSandbox) -> None:
    assert sandbox.mail_port is not None
    settings = replace(SETTINGS, port=sandbox.mail_port)

    await send_mail(settings, "joe@shop.example", "Hi\r\nBcc: eve@evil.example", "text")

    (mail,) = await sandbox.mails("joe@shop.example")
    assert mail["subject"] == "Hi Bcc: eve@evil.example"
    assert await sandbox.mails("eve@evil.example") == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "jane",
        "jane@",
        "@shop.example",
        "jane@shop.example\r\nBcc: eve@evil.example",
        "jane@shop.example, eve@evil.example",
        "Jane <jane@shop.example>",
        "jane @shop.example",
        "jané@shop.example",
    ],
)
async def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ProviderRejected):
        await send_mail(SETTINGS, address, "Hi", "text")


async def test_without_a_mail_server_nothing_was_sent() -> None:
    with pytest.raises(ProviderUnavailable):
        await send_mail(SETTINGS, "jane@shop.example", "Hi", "text")


@pytest.mark.parametrize(
    "handler", [Stubborn(recipient="550 no such user"), Stubborn(data="554 looks like spam")]
)
async def test_a_lasting_refusal_is_final(handler: Stubborn) -> None:
    async with mail_server(handler) as settings:
        with pytest.raises(ProviderRejected):
            await send_mail(settings, "jane@shop.example", "Hi", "text")


@pytest.mark.parametrize("handler", [Stubborn(recipient="450 try later"), Stubborn(data="452 disk is full")])
async def test_a_passing_refusal_is_tried_again(handler: Stubborn) -> None:
    async with mail_server(handler) as settings:
        with pytest.raises(ProviderUnavailable):
            await send_mail(settings, "jane@shop.example", "Hi", "text")


async def test_a_connection_that_breaks_after_the_text_leaves_it_unknown() -> None:
    async with mail_server(Stubborn(data="")) as settings:
        with pytest.raises(OutcomeUnknown):
            await send_mail(settings, "jane@shop.example", "Hi", "text")


async def test_a_server_that_cant_do_tls_gets_no_mail() -> None:
    async with mail_server(Stubborn()) as settings:
        with pytest.raises(ProviderUnavailable):
            await send_mail(replace(settings, tls="starttls"), "jane@shop.example", "Hi", "text")
