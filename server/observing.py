"""What metrics and logs learn of each request and operation."""

import time
from collections.abc import Callable
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schema.exchange import Report
from tenancy.metrics import FAULTS, OPERATION_SECONDS, RATE_LIMITED, REQUESTS, SOCKETS
from tenancy.tracing import record_operation

NAMES_MAX: Final = 200
"""Operation names come from clients: beyond this many they share one label."""
OTHER: Final = "other"
PATHS: Final = frozenset({"/graphql", "/owner/graphql", "/healthz", "/readyz", "/metrics"})
SLOW_S: Final = 1.0

log = structlog.get_logger()


def report_to(schema: str) -> Callable[[Report], None]:
    """Record the operations of one schema: `tenant` or `owner`."""
    known: set[str] = set()

    def report(done: Report) -> None:
        if done.name not in known and len(known) < NAMES_MAX:
            known.add(done.name)
        name = done.name if done.name in known else OTHER
        OPERATION_SECONDS.labels(schema, name).observe(done.seconds)
        record_operation(f"{schema}.{name}", done.seconds, done.outcome, cost=done.cost)
        if done.outcome == "RATE_LIMITED":
            RATE_LIMITED.labels("cost").inc()
        elif done.outcome == "error":
            FAULTS.labels(schema).inc()
        if done.seconds > SLOW_S and done.kind != "subscription":
            log.warning("slow_operation", schema=schema, operation=name, seconds=round(done.seconds, 3))

    return report


class Observed:
    """Counts requests and sockets, and writes one log line for each, hook paths redacted."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            with SOCKETS.labels(_label(scope["path"])).track_inprogress():
                await self._application(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._application(scope, receive, send_observed)
        finally:
            path = _label(scope["path"])
            REQUESTS.labels(path, str(status)).inc()
            log.info(
                "request",
                method=scope["method"],
                path=path,
                status=status,
                ms=round((time.perf_counter() - started) * 1_000, 1),
            )


def _label(path: str) -> str:
    """A path as it may be shown: hooks, files and orders have secret ones, and anything may be asked for."""
    for secret in ("/hooks", "/exports", "/pay"):
        if path.startswith(f"{secret}/"):
            return secret
    return path if path in PATHS else OTHER
