"""Payments as they change: the present state first, then each newer version."""

from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Final
from uuid import UUID

from core.errors import NotFound
from core.pages import PageRequest
from resolvers.payments import PaymentFilter, PaymentView, payment, payments
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
    async with aclosing(_found(context, only, since)) as pages:
        async for found in pages:
            for view in found:
                if shown.is_news(view):
                    yield view


async def _found(
    context: TenantContext, only: PaymentFilter, since: datetime | None
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
                yield await _told(context, only, notice)


class _Shown:
    """The newest versions that a subscriber has seen."""

    def __init__(self) -> None:
        self._versions: OrderedDict[UUID, int] = OrderedDict()

    def is_news(self, view: PaymentView) -> bool:
        if self._versions.get(view.id, 0) >= view.version:
            return False
        self._versions[view.id] = view.version
        self._versions.move_to_end(view.id)
        if len(self._versions) > SHOWN_MAX:
            self._versions.popitem(last=False)
        return True


async def _told(context: TenantContext, only: PaymentFilter, notice: Notice) -> list[PaymentView]:
    """The payment that a notice names, if it is one of those; another store's is not even read."""
    wanted = only.store_id
    if wanted is not None and notice.payload.get("store_id", str(wanted)) != str(wanted):
        return []
    changed = await payment(context, UUID(notice.payload["id"]))
    is_wanted = changed is not None and wanted in {None, changed.store_id}
    return [changed] if changed is not None and is_wanted else []


async def _newest(context: TenantContext, only: PaymentFilter, count: int) -> list[PaymentView]:
    """Oldest first, as they would have come."""
    page = await payments(context, PageRequest(count), only)
    return list(reversed(page.rows))
