"""What a job is handed, how it answers, and the limits it runs under."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from random import SystemRandom
from typing import Final
from uuid import UUID

from tenancy.context import Services
from tenancy.sessions import Tenant

JOB_TIMEOUT_MAX_S: Final = 60.0
"""Longer work belongs on a worker of its own: arq holds a crashed job back for this long."""
BACKOFF_FIRST_S: Final = 2.0
BACKOFF_MAX_S: Final = 300.0

_RANDOM: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class Work:
    """One run of one outbox row. Its handler opens its own transactions."""

    services: Services
    bound_tenant: Tenant | None
    """None for a job of the platform."""
    id: UUID
    kind: str
    payload: Mapping[str, str]
    """Ids only: whatever else the job needs it reads again."""
    attempt: int
    """1 at the first run."""

    @property
    def tenant(self) -> Tenant:
        """The tenant whose outbox the job came from.

        Raises:
            ValueError: it came from the platform's.
        """
        if self.bound_tenant is None:
            raise ValueError(f"{self.kind} is a job of the platform and has no tenant")
        return self.bound_tenant


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do."""


@dataclass(frozen=True, slots=True)
class Later:
    """Run again after `delay_s`; after the last attempt the row becomes a dead letter."""

    delay_s: float
    why: str


@dataclass(frozen=True, slots=True)
class Dead:
    """Never run again unless a person requeues it."""

    why: str


Result = Done | Later | Dead


@dataclass(frozen=True, slots=True)
class Handler:
    """One kind of job, and its limits. What it needs beyond `Services` is bound when it is made."""

    kind: str
    run: Callable[[Work], Awaitable[Result]]
    """Safe to run twice: a run whose worker died is repeated."""
    attempts_max: int = 12
    """Runs before the row becomes a dead letter; ladders that ask again count each question."""
    timeout_s: float = JOB_TIMEOUT_MAX_S
    retry_max_s: float = BACKOFF_MAX_S
    """The longest pause after a run that failed unforeseen; shorter where runs are counted that did not."""

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s <= JOB_TIMEOUT_MAX_S:
            raise ValueError(f"{self.kind} must end within {JOB_TIMEOUT_MAX_S} s")


def by_kind(handlers: Iterable[Handler]) -> Mapping[str, Handler]:
    """Index handlers by their kind.

    Raises:
        ValueError: two of them have the same.
    """
    found: dict[str, Handler] = {}
    for handler in handlers:
        if found.setdefault(handler.kind, handler) is not handler:
            raise ValueError(f"two handlers for {handler.kind}")
    return found


def backoff(attempt: int, *, first_s: float = BACKOFF_FIRST_S, max_s: float = BACKOFF_MAX_S) -> float:
    """Seconds to wait after the given attempt: doubled each time, capped, with full jitter.

    Full jitter spreads the retries of everything that failed in the same outage.
    """
    return _RANDOM.uniform(0, min(max_s, first_s * 2.0 ** min(attempt - 1, 32)))
