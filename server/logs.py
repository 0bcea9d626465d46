"""Structured logs: one JSON object a line, with tenant, request id and payment id where they are known."""

import logging
import re
import sys
from typing import Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

SECRET_PATH: Final = re.compile(r"(/hooks/|/exports/(?=eyJ)|/pay/(?=[\w-]{71}))[^\s?\"']+")
"""Whoever knows a hook's path can speak for a provider, and whoever has a file's link can fetch it. Links
begin as every JWT does, unlike the names of our own modules in a traceback."""
PHONE: Final = re.compile(r"(?<![\w.])(\+?254[17])\d{5}(?=\d{3}(?!\w))")
"""A payer's number in clear; PostgreSQL repeats the row it refuses in its errors."""


def configure_logs(log_format: str, level: str) -> None:
    """Send our own and the libraries' logs to standard error, redacted."""
    numeric = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact_paths,
        mask_phones,
    ]
    renderer = _renderer(log_format)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(numeric)
    # One line a request is written by our own middleware, with the path redacted.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("arq").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def redact_paths(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace the secret part of every path of a hook, file or order in any text of a log line."""
    for key, value in event.items():
        if isinstance(value, str) and any(path in value for path in ("/hooks/", "/exports/", "/pay/")):
            event[key] = SECRET_PATH.sub(r"\1<secret>", value)
    return event


def mask_phones(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask the middle of every Kenyan mobile number in any text of a log line."""
    for key, value in event.items():
        if isinstance(value, str) and "254" in value:
            event[key] = PHONE.sub(r"\1*****", value)
    return event


def _renderer(log_format: str) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
