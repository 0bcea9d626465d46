"""Spans of operations and outside calls, for OpenTelemetry where the extra `telemetry` is installed."""

import time
from importlib.util import find_spec
from typing import Final

IS_INSTALLED: Final = find_spec("opentelemetry") is not None

if IS_INSTALLED:
    from opentelemetry.trace import SpanKind, Status, StatusCode, get_tracer

    # Each call of `get_tracer` looks through the environment until a provider is set; this one follows it.
    _TRACER: Final = get_tracer("hazina")


def record_operation(name: str, seconds: float, outcome: str, **attributes: str | int) -> None:
    """A GraphQL operation that has just ended. Without a configured exporter this costs next to nothing."""
    if IS_INSTALLED:
        _record(SpanKind.SERVER, name, seconds, _status(outcome, "ok"), {"outcome": outcome, **attributes})


def record_outside_call(name: str, seconds: float, outcome: str, **attributes: str | int) -> None:
    """A call to a provider that has just ended; `name` holds no path: those may be secrets."""
    if IS_INSTALLED:
        _record(
            SpanKind.CLIENT, name, seconds, _status(outcome, "answered"), {"outcome": outcome, **attributes}
        )


def _record(
    kind: "SpanKind", name: str, seconds: float, status: "StatusCode", attributes: dict[str, str | int]
) -> None:
    ended_ns = time.time_ns()
    span = _TRACER.start_span(
        name, kind=kind, attributes=attributes, start_time=ended_ns - int(seconds * 1e9)
    )
    span.set_status(Status(status))
    span.end(ended_ns)


def _status(outcome: str, good: str) -> "StatusCode":
    return StatusCode.UNSET if outcome == good else StatusCode.ERROR
