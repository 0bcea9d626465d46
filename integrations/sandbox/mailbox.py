"""A mailbox for development: takes every mail and delivers none."""

import asyncio
from collections import deque
from dataclasses import asdict, dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import escape

from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.clock import Clock

MESSAGE_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it came."""

    received_at: str
    sender: str
    to: list[str]
    subject: str
    text: str


class Mailbox:
    """Listens for SMTP and shows what came, newest first."""

    def __init__(self, clock: Clock, messages_max: int) -> None:
        self._clock = clock
        self._mails: deque[Mail] = deque(maxlen=messages_max)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int | None:
        """Where it listens; None while it does not."""
        if self._server is None:
            return None
        return int(self._server.sockets[0].getsockname()[1])

    async def open(self, host: str, port: int) -> None:
        """Start to listen; port 0 is any free one.

        Raises:
            OSError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="hazina-sandbox", data_size_limit=MESSAGE_BYTES_MAX, loop=loop),
            host,
            port,
        )

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd calls it so
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        message = message_from_bytes(content, EmailMessage, policy=default)
        body = message.get_body(("plain", "html"))
        mail = Mail(
            received_at=self._clock().isoformat(),
            sender=str(message.get("from", envelope.mail_from or "")),
            to=list(envelope.rcpt_tos),
            subject=str(message.get("subject", "")),
            text="" if body is None else str(body.get_content()),
        )
        self._mails.appendleft(mail)
        return "250 OK"

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/mailbox", self.show, methods=["GET"]),
            Route("/mailbox.json", self.show_json, methods=["GET"]),
            Route("/mailbox", self.empty, methods=["DELETE"]),
            Route("/mailbox.json", self.empty, methods=["DELETE"]),
        ]

    async def show_json(self, request: Request) -> Response:
        """All mails, or those to one address: `?to=`."""
        return JSONResponse([asdict(mail) for mail in self._to(request.query_params.get("to"))])

    async def show(self, request: Request) -> Response:
        mails = self._to(request.query_params.get("to"))
        entries = "".join(_entry(mail) for mail in mails) or "<p>No mail yet.</p>"
        return HTMLResponse(PAGE.format(title="Mailbox", body=f"<h1>Mailbox</h1>{entries}"))

    async def empty(self, request: Request) -> Response:
        self._mails.clear()
        return JSONResponse([])

    def _to(self, address: str | None) -> list[Mail]:
        return [mail for mail in self._mails if address is None or address in mail.to]


PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>body{{font:16px/1.5 system-ui;max-width:48rem;margin:2rem auto;padding:0 1rem}}
pre{{white-space:pre-wrap;overflow-wrap:anywhere;background:#8881;padding:1rem}}
code{{overflow-wrap:anywhere}}</style>
<body>{body}</body></html>"""


def _entry(mail: Mail) -> str:
    return (
        f"<article><h2>{escape(mail.subject)}</h2>"
        f"<p>to {escape(', '.join(mail.to))}, from {escape(mail.sender)}, {escape(mail.received_at)}</p>"
        f"<pre>{escape(mail.text)}</pre></article>"
    )
