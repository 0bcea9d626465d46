"""Stands in for Example Bank: its API over HTTP, its webhooks, and a book that tests believe.

It knows nothing of the adapter, so that a mistake can't hide by being made twice.
"""

import hashlib
import hmac
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

PAGE_ROWS: Final = 2
FEE_MINOR: Final = 50

Answer = Callable[[Request, str], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the next collection, or the next refund, goes."""

    operation: str = "collect"
    is_taken: bool = True
    answer: str = "normal"
    """`normal`, `hang`, `drop`, `busy`, `error` or `garbage`."""
    payer: str = "pays"
    """`pays`, `waits` or `lets_expire`."""
    changes: dict[str, Any] = field(default_factory=dict)
    """What of the paid collection is other than was asked for."""


class Hanging(Response):
    """Answers nothing until the caller gives up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


class Dropped(Response):
    """Cuts the connection in the middle of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


class StandIn:
    """One bank. `keys` are the API keys it knows, each with the secret and the address of its webhooks."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.keys: dict[str, tuple[str, str]] = {}
        self.plans: deque[Plan] = deque()
        self.collections: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self._told = 0

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/me", self._endpoint(self._me), methods=["GET"]),
                Route("/collections", self._endpoint(self._collect), methods=["POST"]),
                Route("/collections", self._endpoint(self._list), methods=["GET"]),
                Route("/collections/{reference}", self._endpoint(self._show), methods=["GET"]),
                Route("/collections/{reference}/close", self._endpoint(self._close), methods=["POST"]),
                Route("/refunds", self._endpoint(self._refund), methods=["POST"]),
                Route("/refunds/{reference}", self._endpoint(self._show_refund), methods=["GET"]),
            ]
        )

    async def settle(self) -> None:
        """Payers act, refunds go out, and all of it is told."""
        for row in list(self.collections.values()):
            plan: Plan = row["plan"]
            if row["status"] != "waiting" or plan.payer == "waits":
                continue
            if plan.payer == "pays":
                paid = {"status": "paid", "paid_minor": row["amount_minor"], "fee_minor": FEE_MINOR}
                row.update({**paid, "receipt": f"R{len(self.collections)}", **plan.changes})
            else:
                row["status"] = "expired"
            await self._tell(row["key"], "collection.changed", "collection", _shown(row))
        for refund in self.refunds.values():
            if refund["status"] == "pending":
                refund["status"] = "done"
                await self._tell(refund["key"], "refund.changed", "refund", _shown(refund))

    async def _me(self, request: Request, key: str) -> Response:
        return JSONResponse({"merchant": "Example Ltd"})

    async def _collect(self, request: Request, key: str) -> Response:
        body = await request.json()
        if type(body.get("amount_minor")) is not int or body["amount_minor"] <= 0:
            return _error(400, "bad_amount", "amount_minor is a whole number above zero")
        plan = self._plan("collect")

        def take() -> Response:
            row = self.collections.setdefault(
                body["reference"],
                {
                    **body,
                    "status": "waiting",
                    "account": {"bank": "EXAMPLE", "number": "0123456789", "reference": body["reference"]},
                    "created_at": datetime.now(UTC).isoformat(),
                    "key": key,
                    "plan": plan,
                },
            )
            return JSONResponse(_shown(row), 201)

        return _answered(plan, take)

    async def _show(self, request: Request, key: str) -> Response:
        row = self._own(self.collections, request.path_params["reference"], key)
        return _unknown() if row is None else JSONResponse(_shown(row))

    async def _close(self, request: Request, key: str) -> Response:
        row = self._own(self.collections, request.path_params["reference"], key)
        if row is None:
            return _unknown()
        if row["status"] == "waiting":
            row["status"] = "closed"
        return JSONResponse(_shown(row))

    async def _list(self, request: Request, key: str) -> Response:
        asked = request.query_params
        since, until = (datetime.fromisoformat(asked[name]) for name in ("since", "until"))
        rows = [
            row
            for row in self.collections.values()
            if row["key"] == key and since <= datetime.fromisoformat(row["created_at"]) < until
        ]
        references = [row["reference"] for row in rows]
        start = references.index(asked["after"]) + 1 if asked.get("after") in references else 0
        return JSONResponse({"rows": [_shown(row) for row in rows[start : start + PAGE_ROWS]]})

    async def _refund(self, request: Request, key: str) -> Response:
        body = await request.json()
        row = self._own(self.collections, body["collection"], key)
        earlier = self.refunds.get(body["reference"])
        given = sum(
            each["amount_minor"]
            for each in self.refunds.values()
            if each["collection"] == body["collection"] and each is not earlier
        )
        if row is None or row["status"] != "paid" or given + body["amount_minor"] > row["paid_minor"]:
            return _error(400, "above_the_rest", "more than is left of the collection")
        plan = self._plan("refund")

        def take() -> Response:
            id_ = f"rf-{len(self.refunds) + 1}"
            made = {**body, "id": id_, "status": "pending", "key": key}
            return JSONResponse(_shown(self.refunds.setdefault(body["reference"], made)), 201)

        return _answered(plan, take)

    async def _show_refund(self, request: Request, key: str) -> Response:
        row = self._own(self.refunds, request.path_params["reference"], key)
        return _unknown() if row is None else JSONResponse(_shown(row))

    def _own(self, rows: dict[str, dict[str, Any]], reference: str, key: str) -> dict[str, Any] | None:
        row = rows.get(reference)
        return row if row is not None and row["key"] == key else None

    def _plan(self, operation: str) -> Plan:
        for plan in self.plans:
            if plan.operation == operation:
                self.plans.remove(plan)
                return plan
        return Plan(operation)

    async def _tell(self, key: str, event: str, name: str, told: dict[str, Any]) -> None:
        secret, url = self.keys[key]
        if not url:
            return
        self._told += 1
        body = json.dumps({"id": f"evt-{self._told}", "event": event, name: told}).encode()
        seconds = int(datetime.now(UTC).timestamp())
        digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"x-example-bank-signature": f"t={seconds},v1={digest}"}
        await self._http.post(url, content=body, headers=headers)

    def _endpoint(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            key = request.headers.get("authorization", "").removeprefix("Bearer ")
            if key not in self.keys:
                return _error(401, "bad_key", "no such API key")
            return await answer(request, key)

        return handle


def _answered(plan: Plan, take: Callable[[], Response]) -> Response:
    taken = take() if plan.is_taken else None
    match plan.answer:
        case "hang":
            return Hanging()
        case "drop":
            return Dropped()
        case "busy":
            return _error(429, "busy", "slow down")
        case "error":
            return _error(500, "internal", "something went wrong")
        case "garbage":
            return PlainTextResponse("<html>Service Temporarily Unavailable</html>")
    return taken or _error(500, "internal", "something went wrong")


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("key", "plan")}


def _unknown() -> Response:
    return _error(404, "unknown", "the bank does not know it")


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)
