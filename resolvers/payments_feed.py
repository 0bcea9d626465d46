"""Payments as they change: the present state first, then each newer version."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final
from uuid import UUID

from core.errors import NotFound
from core.pages import PageRequest
from resolvers.payments import PaymentFilter, PaymentView, payment, payments, payments_named
from resolvers.payments_missed import missed_payments
from resolvers.stores import store_exists
from tenancy.context import TenantContext
from tenancy.feed import RESYNC
from tenancy.roles import Scope
from tenancy.sessions import Notice

RECENT_MAX: Final = 20
"""Payments that a stream of many payments begins with."""
SHOWN_MAX: Final = 128
"""Payments whose versions a stream of many remembers, so that none is told twice."""
PAUSE_S: Final = 0.025
"""Between two readings of a stream of many: what changes meanwhile is read together."""


async def payment_updates(context: TenantContext, id: UUID) -> AsyncGenerator[PaymentView, None]:
    """One payment now and after each change; steps in quick succession may come as one.

    Needs payments:read. Nothing is asked of the database while nothing happens.

    Raises:
        NotFound: this business has no such payment.
    """
    context.require(Scope.PAYMENTS_READ)
    # Subscribed before it is read: what changes in between is told, not lost.
    async with context.services.feed.subscribe(context.tenant.id, {f"payment:{id}"}) as notices:
        shown = await payment(context, id)
        if shown is None:
            raise NotFound("payment")
        yield shown
        async for notice in notices:
            if notice.topic != RESYNC.topic and notice.payload["version"] <= shown.version:
                continue
            newer = await payment(context, id)
            if newer is not None and newer.version > shown.version:
                shown = newer
                yield shown


async def payments_updates(
    context: TenantContext, since: datetime | None = None
) -> AsyncGenerator[PaymentView, None]:
    """The newest payments, those that changed since then, then every payment that changes.

    Steps in quick succession may come as one.
    What the feed did not tell, since Redis was away, is read and told. Needs payments:read.

    Raises:
        FeedInterrupted: too much has changed since then, or while the feed was away.
    """
    context.require(Scope.PAYMENTS_READ)
    async with aclosing(_updates(context, PaymentFilter(), since)) as views:
        async for view in views:
            yield view


async def store_payments_updates(
    context: TenantContext, store_id: UUID, since: datetime | None = None
) -> AsyncGenerator[PaymentView, None]:
    """As `payments_updates`, of one store. Needs payments:read.

    Raises:
        NotFound: this business has no such store.
        FeedInterrupted: too much has changed since then, or while the feed was away.
    """
    context.require(Scope.PAYMENTS_READ)
    if not await store_exists(context, store_id):
        raise NotFound("store")
    async with aclosing(_updates(context, PaymentFilter(store_id=store_id), since)) as views:
        async for view in views:
            yield view


async def _updates(
    context: TenantContext, only: PaymentFilter, since: datetime | None
) -> AsyncGenerator[PaymentView, None]:
    """Each version at most once, and none after a newer one, of the latest SHOWN_MAX payments."""
    shown = _Shown()
    async with aclosing(_found(context, only, since, shown)) as pages:
        async for found in pages:
            for view in found:
                if shown.is_news(view):
                    yield view


async def _found(
    context: TenantContext, only: PaymentFilter, since: datetime | None, shown: "_Shown"
) -> AsyncGenerator[list[PaymentView], None]:
    # Subscribed before they are read: what changes in between is told, not lost.
    async with context.services.feed.subscribe(context.tenant.id, {"payments"}) as notices:
        yield await _newest(context, only, RECENT_MAX)
        while True:
            if since is not None:
                async with aclosing(missed_payments(context, only, since)) as pages:
                    async for missed in pages:
                        yield missed
            notice = await anext(notices, None)
            if notice is None:
                return
            since = notices.missed_since if notice.topic == RESYNC.topic else None
            if since is None:
                yield await _told(context, only, shown, [notice, *notices.take_waiting()])
                # A busy business takes hundreds of steps a second: one reading for several of them.
                await asyncio.sleep(PAUSE_S)


class _Shown:
    """The newest versions that a subscriber has seen."""

    def __init__(self) -> None:
        self._versions: OrderedDict[UUID, int] = OrderedDict()

    def has(self, id: UUID, version: int) -> bool:
        """Whether this version was seen, or a newer one."""
        return self._versions.get(id, 0) >= version

    def is_news(self, view: PaymentView) -> bool:
        if self.has(view.id, view.version):
            return False
        self._versions[view.id] = view.version
        self._versions.move_to_end(view.id)
        if len(self._versions) > SHOWN_MAX:
            self._versions.popitem(last=False)
        return True


async def _told(
    context: TenantContext, only: PaymentFilter, shown: _Shown, notices: Sequence[Notice]
) -> list[PaymentView]:
    """The payments of those that notices name; another store's, or a seen version, is not even read."""
    wanted = only.store_id
    named: list[UUID] = []
    for payload in (notice.payload for notice in notices):
        id_ = UUID(payload["id"])
        is_wanted = wanted is None or payload.get("store_id", str(wanted)) == str(wanted)
        if is_wanted and not shown.has(id_, payload["version"]):
            named.append(id_)
    if not named:
        return []
    found = {view.id: view for view in await payments_named(context, named)}
    return [found[id_] for id_ in named if id_ in found and wanted in {None, found[id_].store_id}]


async def _newest(context: TenantContext, only: PaymentFilter, count: int) -> list[PaymentView]:
    """Oldest first, as they would have come."""
    page = await payments(context, PageRequest(count), only)
    return list(reversed(page.rows))
