"""Operations over Server-Sent Events, by the protocol of graphql-sse, distinct connections only."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from schema.exchange import Outcome
from server.view_watch import Context, Watch

COMMENT: Final = b":\n\n"
COMPLETE: Final = b"event: complete\ndata:\n\n"
HEADERS: Final = {
    "Cache-Control": "no-cache, no-transform",
    # nginx would hold events back to fill its buffer.
    "X-Accel-Buffering": "no",
}


class EventStream(Response):
    """Sends outcomes as they come, a comment where none comes, and ends with the caller's right."""

    media_type = "text/event-stream"

    def __init__(
        self, outcomes: AsyncGenerator[Outcome, None], watch: Watch[Context], comment_s: float
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._outcomes = outcomes
        self._watch = watch
        self._comment_s = comment_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_disconnected(receive))
        ended = asyncio.ensure_future(self._watch.ended())
        try:
            await asyncio.wait({sending, gone, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone, ended):
                task.cancel()
            await asyncio.wait({sending, gone, ended})
        # A client that is still there gets a proper end, whatever the reason.
        if not gone.done() or gone.cancelled():
            with suppress(OSError):
                await send({"type": "http.response.body", "body": COMPLETE, "more_body": False})
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._outcomes):
            following = asyncio.ensure_future(anext(self._outcomes))
            try:
                while True:
                    done, _ = await asyncio.wait({following}, timeout=self._comment_s)
                    if done:
                        event = b"event: next\ndata: " + orjson.dumps(following.result().body) + b"\n\n"
                        following = asyncio.ensure_future(anext(self._outcomes))
                    await send(
                        {
                            "type": "http.response.body",
                            "body": event if done else COMMENT,
                            "more_body": True,
                        }
                    )
            except StopAsyncIteration:
                return
            finally:
                following.cancel()
                await asyncio.wait({following})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
