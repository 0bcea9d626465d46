"""The jobs of payments: sending them, asking about them, and what is done to them on the way."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from jobs.payment_asking import ASK_PAUSE_MAX_S, ask_payment, poll_payment
from jobs.payment_calls import QUEUE, record
from jobs.payment_sending import submit_payment
from jobs.payment_steps import cancel_payment, capture_payment, confirm_payment
from jobs.payment_words import as_told, asked_of
from jobs.providers import Providers
from jobs.work import Handler, Result, Work

__all__ = [
    "ASK_ATTEMPTS_MAX",
    "ASK_PAUSE_MAX_S",
    "QUEUE",
    "as_told",
    "asked_of",
    "payment_handlers",
    "record",
]

SUBMIT_ATTEMPTS_MAX: Final = 60
"""More than fit in the window in which a payment may be sent."""
POLL_ATTEMPTS_MAX: Final = 30_000
"""Days of runs that all fail: a ladder given up half-way would leave a payment to nobody."""
ASK_ATTEMPTS_MAX: Final = 500
RETRY_MAX_S: Final = 30.0
"""A payer waits, however often the provider was asked before an outage."""


def payment_handlers(providers: Providers) -> list[Handler]:
    """The jobs of payments, by way of `providers`."""

    def bound(run: Callable[[Work, Providers], Awaitable[Result]]) -> Callable[[Work], Awaitable[Result]]:
        async def handle(work: Work) -> Result:
            with structlog.contextvars.bound_contextvars(payment_id=work.payload["payment_id"]):
                return await run(work, providers)

        return handle

    return [
        Handler(
            "submit_payment", bound(submit_payment), attempts_max=SUBMIT_ATTEMPTS_MAX, retry_max_s=RETRY_MAX_S
        ),
        Handler("poll_payment", bound(poll_payment), attempts_max=POLL_ATTEMPTS_MAX, retry_max_s=RETRY_MAX_S),
        Handler("ask_payment", bound(ask_payment), attempts_max=ASK_ATTEMPTS_MAX),
        Handler("confirm_payment", bound(confirm_payment)),
        Handler("capture_payment", bound(capture_payment), attempts_max=ASK_ATTEMPTS_MAX),
        Handler("cancel_payment", bound(cancel_payment), attempts_max=ASK_ATTEMPTS_MAX),
    ]
