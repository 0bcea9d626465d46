"""How the sandbox sends what providers tell: once, over connections that are kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from integrations.sandbox.posting import Poster, Unanswered

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
CUT_OFF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"
NO_HTTP = b"220 mail.example.com ESMTP\r\n"


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[str, list[tuple[int, bytes]]]]:
    """A server that gives these in turn; what it heard, by the number of the connection."""
    left, heard = list(answers), []
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(connections)
        connections.append(writer)
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            heard.append((number, head.split(b"\r\n")[0] + b" " + await reader.readexactly(length)))
            answer = left.pop(0)
            writer.write(answer)
            if answer in (CLOSING, CUT_OFF, NO_HTTP):
                break
            if not answer:
                await reader.read()
                break
        writer.close()

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(quietly, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
        for writer in connections:
            writer.close()


async def test_a_connection_is_used_again_until_the_server_closes_it() -> None:
    poster = Poster(5.0)
    async with answering(WHOLE, CHUNKED, CLOSING, WHOLE) as (url, heard):
        answers = [await poster.post_json(f"{url}/hooks/a?b=1", {"n": number}) for number in range(4)]
        await poster.close()

    assert [(answer.status, answer.body) for answer in answers] == [
        (200, b"{}"),
        (201, b"{}"),
        (400, b""),
        (200, b"{}"),
    ]
    assert heard == [
        (connection, b'POST /hooks/a?b=1 HTTP/1.1 {"n":%d}' % number)
        for number, connection in enumerate((0, 0, 0, 1))
    ]


@pytest.mark.parametrize(
    ("answer", "why"),
    [(CUT_OFF, "ConnectionResetError"), (NO_HTTP, "HttpParserError"), (b"", "TimeoutError")],
)
async def test_what_is_not_answered_is_sent_once_and_the_next_call_starts_anew(
    answer: bytes, why: str
) -> None:
    poster = Poster(5.0)
    async with answering(answer, WHOLE) as (url, heard):
        with pytest.raises(Unanswered, match=why):
            await poster.post_json(url, {}, timeout_s=5.0 if answer else 0.05)
        assert (await poster.post_json(url, {})).status == 200
        await poster.close()

    assert [connection for connection, _ in heard] == [0, 1]


async def test_where_nobody_listens_nothing_is_sent() -> None:
    async with answering() as (url, _):
        pass

    with pytest.raises(Unanswered, match="ConnectionRefusedError"):
        await Poster(5.0).post_json(url, {})
