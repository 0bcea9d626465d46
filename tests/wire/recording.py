"""Holds what adapters send, and what sandboxes answer, against schemas written from the sheets.

A schema file (`tests/wire/{provider}_calls.schema.json`, JSON Schema draft 2020-12) lists its calls:

    {"calls": [{"method": "POST", "path": "/v1/refunds$",
                "request": {"$ref": "#/$defs/refund_request"},
                "responses": {"200": {"$ref": "#/$defs/refund"}, "default": {"$ref": "#/$defs/error"}}}],
     "$defs": {…}}

`path` is searched for. A request is held against its schema as `{"headers", "query", "body"}`: names
of headers in lower case; a form's and a query's names as written, with brackets; values that come
several times as a list. A response is its JSON body.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
from jsonschema import Draft202012Validator

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer."""

    method: str
    path: str
    request: dict[str, Any]
    status: int
    answer: Any
    """None where it was no JSON."""


class Recorder:
    """Listens to an HTTP client: `recorder.listen(client)`, and in the end `recorder.complaints(file)`."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def listen(self, client: httpx.AsyncClient) -> None:
        client.event_hooks = {"request": [], "response": [self._record]}

    def complaints(self, schema_name: str) -> list[str]:
        """What does not fit, of all that was heard; `schema_name` such as `stripe_calls`."""
        schema = read_schema(schema_name)
        return [complaint for exchange in self.exchanges for complaint in _judged(schema, exchange)]

    async def _record(self, response: httpx.Response) -> None:
        await response.aread()
        request = response.request
        is_json = response.headers.get("content-type", "").startswith("application/json")
        self.exchanges.append(
            Exchange(
                request.method,
                request.url.path,
                {
                    "headers": dict(request.headers),
                    "query": _pairs(request.url.query.decode()),
                    "body": _body_of(request),
                },
                response.status_code,
                response.json() if is_json else None,
            )
        )


@cache
def read_schema(name: str) -> dict[str, Any]:
    """A schema of this folder that is itself a valid one."""
    schema: dict[str, Any] = json.loads((HERE / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return schema


def misfits(schema: dict[str, Any], part: dict[str, Any], instance: object) -> list[str]:
    """Where `instance` does not fit a part of the schema, such as `{"$ref": "#/$defs/event"}`."""
    validator = Draft202012Validator({**part, "$defs": schema["$defs"]})
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(instance)]


def _judged(schema: dict[str, Any], exchange: Exchange) -> Iterable[str]:
    name = f"{exchange.method} {exchange.path}"
    call = next((each for each in schema["calls"] if _fits(each, exchange)), None)
    if call is None:
        yield f"{name}: no such call"
        return
    yield from (f"{name} sent {misfit}" for misfit in misfits(schema, call["request"], exchange.request))
    responses = call["responses"]
    expected = responses.get(str(exchange.status), responses.get("default"))
    if expected is None:
        yield f"{name} was answered {exchange.status}, which it never is"
    elif exchange.answer is not None:
        found = misfits(schema, expected, exchange.answer)
        yield from (f"{name} was answered {exchange.status} {misfit}" for misfit in found)


def _fits(call: dict[str, Any], exchange: Exchange) -> bool:
    return call["method"] == exchange.method and re.search(call["path"], exchange.path) is not None


def _body_of(request: httpx.Request) -> object:
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("application/x-www-form-urlencoded"):
        return _pairs(request.content.decode())
    return json.loads(request.content) if request.content else None


def _pairs(encoded: str) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        earlier = pairs.get(name)
        if earlier is None:
            pairs[name] = value
        else:
            pairs[name] = [*(earlier if isinstance(earlier, list) else [earlier]), value]
    return pairs
