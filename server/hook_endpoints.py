"""Whom a hook path belongs to, remembered for a few seconds."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from owner_db.tenants.hooks import Endpoint, find_endpoint
from tenancy.errors import TenantUnavailable, TransactionInterrupted
from tenancy.sessions import OwnerDatabase

FRESH_S: Final = 5.0
"""A revoked endpoint is closed after at most this long."""
REMEMBERED_MAX: Final = 10_000
"""Endpoints, known and unknown alike, that one process remembers."""

log = structlog.get_logger()


class EndpointUnreachable(Exception):
    """Neither the owner database nor the memory can say whom the path belongs to."""


@dataclass(frozen=True, slots=True)
class _Known:
    endpoint: Endpoint | None
    until: float


class Endpoints:
    """Looks endpoints up by the SHA-256 of their token."""

    def __init__(self, owner: OwnerDatabase) -> None:
        self._owner = owner
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    async def find(self, token_hash: bytes) -> Endpoint | None:
        """The endpoint, or None where nobody was given the token.

        While the owner database is away, what was known last still counts: providers tell of money
        once, and a tenant's own database may well be there.

        Raises:
            EndpointUnreachable: the owner database is away, and nothing was known.
        """
        known = self._known.get(token_hash)
        if known is not None and time.monotonic() < known.until:
            return known.endpoint
        try:
            async with self._owner.reading() as session:
                endpoint = await find_endpoint(session, token_hash)
        except (SQLAlchemyError, TransactionInterrupted, TenantUnavailable, OSError) as error:
            if known is None or known.endpoint is None:
                raise EndpointUnreachable from error
            log.warning("hook_endpoint_from_memory", error=type(error).__name__)
            return known.endpoint
        self._remember(token_hash, endpoint)
        return endpoint

    def _remember(self, token_hash: bytes, endpoint: Endpoint | None) -> None:
        self._known[token_hash] = _Known(endpoint, time.monotonic() + FRESH_S)
        self._known.move_to_end(token_hash)
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
