"""A server that answers what a test says, for answers no sandbox would give."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.sandbox import serving

TOKEN = {"access_token": "a-token", "expires_in": 3599}


@dataclass
class Scripted:
    """Plays its answers in order and repeats the last one; token calls have their own."""

    url: str = ""
    answers: list[Response] = field(default_factory=list)
    token: Response = field(default_factory=lambda: answer(200, TOKEN))
    received: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: Request) -> Response:
        body = await request.body()
        self.headers.append(dict(request.headers))
        self.raw.append(body)
        async with self.arrived:
            self.received.append((request.url.path, json.loads(body) if body else None))
            self.arrived.notify_all()
        if request.url.path.endswith("/generate"):
            return self.token
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def messages(self, count: int, path: str = "") -> list[Any]:
        """The bodies received below a path, once there are as many."""

        def found() -> list[Any]:
            return [body for where, body in self.received if where.startswith(path)]

        async with self.arrived, asyncio.timeout(5):
            await self.arrived.wait_for(lambda: len(found()) >= count)
        return found()


def answer(status: int, body: object, **headers: str) -> Response:
    """JSON, or the text itself."""
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    return Response(content, status, headers, media_type="application/json")


@asynccontextmanager
async def scripted_server(*answers: Response) -> AsyncIterator[Scripted]:
    server = Scripted(answers=list(answers) or [answer(200, {})])
    app = Starlette(routes=[Route("/{path:path}", server.handle, methods=["GET", "POST"])])
    async with serving(app) as url:
        server.url = url
        yield server
