"""What ends a long-lived connection: an expired token, a revocation, other rights, too many beside it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Generic, Protocol, Self, TypeVar

import structlog

from core.clock import Clock
from core.errors import DomainError
from server.view_refusals import Refused
from tenancy.context import Principal
from tenancy.errors import (
    Capacity,
    TenantMigrating,
    TenantNotServed,
    TenantUnavailable,
    TransactionInterrupted,
)

FORBIDDEN: Final = 4403
"""graphql-ws clients connect again after 4403; 4401 would be final for them."""
TRY_AGAIN_LATER: Final = 1013
FAILED_CHECKS_MAX: Final = 2
"""Checks in a row that may fail for reasons of ours before the connection is given up."""

_log = structlog.get_logger()


class Caller(Protocol):
    """What a view has to know of a context."""

    @property
    def principal(self) -> Principal | None: ...

    def fork(self) -> Self: ...


Context = TypeVar("Context", bound=Caller)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection is closed: a WebSocket close code, and a code of ours."""

    code: int
    reason: str


class Watch(Generic[Context]):
    """Looks after one connection's right to stay open."""

    def __init__(
        self, context: Context, renew: Callable[[], Awaitable[Context]], recheck_s: float, clock: Clock
    ) -> None:
        self.context = context
        """For the next operation; taken again with each check."""
        self._renew = renew
        self._recheck_s = recheck_s
        self._clock = clock
        self._failures = 0

    async def ended(self) -> Ending:
        """Return when the connection must close."""
        while True:
            principal = self.context.principal
            wait_s = self._recheck_s
            if principal is not None and principal.expires_at is not None:
                left_s = (principal.expires_at - self._clock()).total_seconds()
                if left_s <= 0:
                    return Ending(FORBIDDEN, "TOKEN_EXPIRED")
                wait_s = min(wait_s, left_s)
            await asyncio.sleep(wait_s)
            ending = await self._checked(principal)
            if ending is not None:
                return ending

    async def _checked(self, before: Principal | None) -> Ending | None:
        try:
            fresh = await self._renew()
        except Capacity:
            return None
        except (TenantUnavailable, TransactionInterrupted) as outage:
            # Our own database was away: that says nothing of the caller's rights.
            _log.warning("connection_not_checked", why=outage.code)
            return self._failed()
        except DomainError as error:
            return Ending(FORBIDDEN, error.code)
        except Exception:  # noqa: BLE001 - the edge of a task of its own: nobody above could tell the client
            _log.exception("connection_check_failed", failures=self._failures)
            return self._failed()
        self._failures = 0
        was, now = _not_served(self.context), _not_served(fresh)
        self.context = fresh
        # A business that is still being made may be watched until it is served.
        if now is not None and type(now) is not type(was) and not isinstance(now, TenantMigrating | Capacity):
            return Ending(FORBIDDEN, now.code)
        # Running subscriptions hold the old scopes: the client comes back with the new ones.
        return None if fresh.principal == before else Ending(FORBIDDEN, "RIGHTS_CHANGED")

    def _failed(self) -> Ending | None:
        self._failures += 1
        return Ending(TRY_AGAIN_LATER, "UNAVAILABLE") if self._failures >= FAILED_CHECKS_MAX else None


def _not_served(context: Caller) -> TenantNotServed | None:
    """Why the caller's tenant has no connection to give; the owner's contexts know no such thing."""
    return getattr(context, "not_served", None)


class Slots:
    """Counts what is open at once in this process, by key."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @contextmanager
    def taken(self, key: str, limit: int) -> Iterator[None]:
        """Hold one slot of `key`.

        Raises:
            Refused: `limit` are open already.
        """
        if self._open[key] >= limit:
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "TOO_MANY_CONNECTIONS",
                f"At most {limit} connections at once. Close one first.",
            )
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
