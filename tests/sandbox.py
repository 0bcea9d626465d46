"""The provider sandbox on a real port, for tests of every room."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import uvicorn

from integrations.sandbox.app import create_sandbox
from integrations.sandbox.settings import SandboxSettings

ANSWER_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that serves, and its controls."""

    url: str
    http: httpx.AsyncClient
    mail_port: int | None

    @property
    def mpesa_url(self) -> str:
        """The base URL for the M-Pesa adapter."""
        return f"{self.url}/mpesa"

    async def control(self, path: str, **body: object) -> dict[str, Any]:
        """POST to a control endpoint: `control("mpesa/next", outcomes=["cancelled"])`."""
        response = await self.http.post(f"/_control/{path}", json=body)
        answer: dict[str, Any] = response.json()
        assert response.status_code == 200, answer
        return answer

    def url_of(self, provider: str) -> str:
        """The base URL for an adapter: `url_of("stripe")`."""
        return f"{self.url}/{provider}"

    async def plan(self, provider: str, *outcomes: str | dict[str, Any], **which: object) -> None:
        """Plan the next calls of an account, one outcome each: `plan("stripe", "card_declined", key=…)`."""
        await self.control(f"{provider}/next", outcomes=list(outcomes), **which)

    async def register_webhook(self, provider: str, **account: object) -> None:
        """Know an account, and where its webhooks go: `key`, `details`, `url`, `secret`."""
        await self.control(f"{provider}/webhook", **account)

    async def release_webhooks(self, provider: str, **which: str) -> dict[str, Any]:
        """Tell now, and truly, what is late, withheld, lost or was forged; returns when it was told."""
        return await self.control(f"{provider}/release", **which)

    async def book_of(self, provider: str) -> dict[str, Any]:
        """What was `paid` and `refunded`, the `webhooks` and how they were answered, what is `planned`."""
        book: dict[str, Any] = (await self.http.get(f"/_control/{provider}/book")).json()
        return book

    async def control_next(
        self, *outcomes: str | dict[str, Any], short_code: str | None = None, phone: str | None = None
    ) -> None:
        """Plan the next prompts, one outcome each; with a phone (254…) or short code only theirs."""
        await self.control("mpesa/next", outcomes=list(outcomes), short_code=short_code, phone=phone)

    async def register_app(
        self, consumer_key: str, consumer_secret: str, *short_codes: dict[str, Any]
    ) -> None:
        """Know a key pair and its short codes: `{"code", "passkey", "kind", "party_b"}`."""
        await self.control(
            "mpesa/apps",
            consumer_key=consumer_key,
            consumer_secret=consumer_secret,
            short_codes=list(short_codes),
        )

    async def pay_by_hand(
        self, short_code: str, amount: str, phone: str, reference: str = "", **more: object
    ) -> dict[str, Any]:
        """A payment without a prompt, told to the registered URL: `{"receipt", "told"}`."""
        return await self.control(
            "mpesa/c2b", short_code=short_code, amount=amount, phone=phone, reference=reference, **more
        )

    async def release(self, **which: str) -> dict[str, Any]:
        """Tell now what is late or withheld: `release(reference=…)`; returns when it has been told."""
        return await self.control("mpesa/release", **which)

    async def book(self) -> dict[str, Any]:
        """What it took and what was paid: `stk`, `manual`, `paid`, `urls`, `planned`."""
        book: dict[str, Any] = (await self.http.get("/_control/mpesa/book")).json()
        return book

    async def mails(self, to: str) -> list[dict[str, Any]]:
        """Mails to one address, newest first."""
        mails: list[dict[str, Any]] = (await self.http.get("/mailbox.json", params={"to": to})).json()
        return mails

    async def reset(self) -> None:
        """Forget everything but the demo app."""
        await self.control("reset")


@asynccontextmanager
async def running_sandbox(settings: SandboxSettings | None = None) -> AsyncIterator[RunningSandbox]:
    """Serve a sandbox on a free loopback port, with payers who act at once and a mailbox."""
    app = create_sandbox(settings or SandboxSettings(think_time_s=0.0, mail_port=0))
    async with serving(app) as url:
        timeout = httpx.Timeout(ANSWER_TIMEOUT_S)
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=timeout) as http:
            yield RunningSandbox(url, http, app.state.mailbox.port)


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:  # noqa: ANN401 - any ASGI application
    """Serve an application on a free loopback port; yields its URL."""
    # Named as TCP, or asyncio leaves Nagle's algorithm on and each answer waits 40 ms.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(2_048)
        port = listener.getsockname()[1]
        config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1, ws="none")
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        # Without its main loop, which would catch Ctrl-C and end only at its next tick.
        await server.startup(sockets=[listener])
        assert server.started, "the application did not start"
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await server.shutdown(sockets=[listener])
