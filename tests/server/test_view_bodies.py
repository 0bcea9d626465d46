"""What a client may do with the body of a request before it has shown a token."""

import asyncio
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.types import Message

from server import view_requests
from server.view_refusals import Refused
from server.view_requests import parse_request


def request(receive: Callable[[], object]) -> Request:
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}
    return Request(scope, receive)  # type: ignore[arg-type]  # a callable is all that it needs


async def test_a_body_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_requests, "BODY_WAIT_S", 0.01)

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Refused) as refusal:
        await parse_request(request(never))

    assert (refusal.value.status, refusal.value.code) == (408, "BODY_TOO_SLOW")


async def test_a_body_that_is_broken_off_is_no_fault_of_ours() -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(Refused) as refusal:
        await parse_request(request(gone))

    assert refusal.value.status == 400
