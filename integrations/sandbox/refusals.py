"""Daraja's refusals, and answers that never come."""

import asyncio
import secrets
from contextlib import suppress
from typing import Final

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

BAD_REQUEST: Final = "400.002.02"


class Refused(Exception):
    """Ends a request with Daraja's error envelope."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> Response:
        envelope = {
            "requestId": f"{secrets.randbelow(100_000)}-{secrets.randbelow(100_000_000)}-1",
            "errorCode": self.code,
            "errorMessage": self.message,
        }
        return JSONResponse(envelope, self.status)


def bad_field(field: str) -> Refused:
    return Refused(400, BAD_REQUEST, f"Bad Request - Invalid {field}")


class Dropped(Response):
    """Cuts the connection in the middle of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The server closes a connection whose answer ends before its announced length.
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


def troubled(answer: str, refusal: Refused, hang_s: float) -> Response | None:
    """The answer of a call that goes wrong, by its name in `outcomes.ANSWERS`; None for other names."""
    match answer:
        case "error":
            return refusal.response()
        case "html":
            page = "<html><body><h1>Service Temporarily Unavailable</h1></body></html>"
            return HTMLResponse(page, refusal.status)
        case "keyless":
            return JSONResponse({})
        case "hang":
            return Hanging(hang_s)
        case "drop":
            return Dropped()
    return None


class Hanging(Dropped):
    """Keeps the caller waiting until it gives up, or until the time is over."""

    def __init__(self, hang_s: float) -> None:
        super().__init__()
        self._hang_s = hang_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._hang_s):
                while (await receive())["type"] != "http.disconnect":
                    pass
                return
        await super().__call__(scope, receive, send)
