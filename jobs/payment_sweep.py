"""Compares each provider account's own list of payments with ours, night by night."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select

from core.collecting import Feature
from core.errors import InvalidInput
from core.ids import Kind, inside
from integrations.account import NotConfigured
from integrations.errors import ProviderRejected, ProviderUnavailable
from integrations.protocol import Authorized, ListedPayment, Mismatch, NotPaid, Paid
from integrations.registry import integrations
from jobs.mpesa_pull import announce_pulls, pull_handlers
from jobs.payment_asking import ASK_PAUSE_MAX_S
from jobs.payment_calls import nothing, record
from jobs.providers import Providers, Route
from jobs.work import Done, Handler, Later, Result, Work, backoff
from tenancy.outbox import announce
from tenant_db.credentials.models import ProviderAccount
from tenant_db.payments.listing import Listed, compare_listed, flag_unlisted
from tenant_db.payments.payer_steps import drop_old_steps

SWEEP: Final = "sweep_payments"
OF_ACCOUNT: Final = "sweep_account"
QUEUE: Final = "platform"
LOOK_BACK: Final = timedelta(days=3)
"""Each payment is looked for in three nights: what was late is seen, too."""
SPAN: Final = timedelta(hours=6)
"""One run reads so much of the list: it has a minute."""
STILL_MOVING: Final = timedelta(minutes=30)
"""What is younger may still be told by its webhook."""
CLOCKS_APART: Final = timedelta(minutes=10)
"""Between our sending and the provider's writing, however its clock goes."""
ENTRIES_AT_ONCE: Final = 200
SPREAD_S: Final = 20
"""Between the runs of one account: a sweep is no hurry."""
ATTEMPTS_MAX: Final = 20

log = structlog.get_logger()


def sweep_handlers(providers: Providers) -> list[Handler]:
    """The jobs of the nightly look at the providers' own lists."""

    async def of_account(work: Work) -> Result:
        return await sweep_account(work, providers)

    return [
        *pull_handlers(providers),
        Handler(SWEEP, sweep_payments),
        Handler(OF_ACCOUNT, of_account, attempts_max=ATTEMPTS_MAX),
    ]


async def sweep_payments(work: Work) -> Result:
    """Leave a look at each account whose provider lists its payments, for each span of the last days.

    What a payer entered and no job came for is forgotten on the way.
    """
    lists = [code for code, one in integrations().items() if Feature.LIST in one.features]
    until = work.services.clock() - STILL_MOVING
    async with work.tenant.transaction() as session:
        await drop_old_steps(session, work.services.clock())
        await announce_pulls(session)
        accounts = await session.scalars(
            select(ProviderAccount.id).where(ProviderAccount.provider.in_(lists))
        )
        for account_id in accounts.all():
            for number in range(LOOK_BACK // SPAN):
                announce(
                    session,
                    OF_ACCOUNT,
                    queue=QUEUE,
                    after_s=number * SPREAD_S,
                    provider_account_id=str(account_id),
                    until=(until - number * SPAN).isoformat(),
                )
    return Done()


async def sweep_account(work: Work, providers: Providers) -> Result:
    """Hold one span of an account's own list against ours; what differs is asked about. Again is harmless."""
    account_id = UUID(work.payload["provider_account_id"])
    until = datetime.fromisoformat(work.payload["until"])
    since = until - SPAN
    try:
        route = await providers.route(work.tenant, account_id, work.kind)
        found = await _compared(work, route, since, until)
    except NotConfigured as lack:
        log.info("account_not_swept", why=str(lack))
        return Done()
    except (ProviderUnavailable, ProviderRejected) as error:
        return Later(backoff(work.attempt, max_s=ASK_PAUSE_MAX_S), error.message)
    async with work.tenant.transaction() as session:
        missing = await flag_unlisted(session, account_id, since, until, found)
    log.info("account_swept", account=str(account_id), found=len(found), missing=missing)
    return Done()


async def _compared(work: Work, route: Route, since: datetime, until: datetime) -> set[UUID]:
    found: set[UUID] = set()
    batch: list[Listed] = []
    entries = route.adapter.list_payments(since - CLOCKS_APART, until + CLOCKS_APART)
    async for entry in entries:
        batch.append(_listed(entry))
        if len(batch) >= ENTRIES_AT_ONCE:
            found |= await _compare(work, route, batch)
            batch = []
    return found | await _compare(work, route, batch)


async def _compare(work: Work, route: Route, batch: list[Listed]) -> set[UUID]:
    async with work.tenant.transaction() as session:
        found = await compare_listed(session, route.account_id, batch) if batch else set()
    await record(work, route, route.account_id, nothing)
    return found


def _listed(entry: ListedPayment) -> Listed:
    try:
        payment_id = None if entry.payment_id is None else inside(Kind.PAYMENT, entry.payment_id)
    except InvalidInput:
        payment_id = None
    return Listed(
        entry.provider_reference,
        payment_id,
        entry.attempt_key,
        has_money=isinstance(entry.answer, Paid | Authorized | Mismatch),
        is_unpaid=isinstance(entry.answer, NotPaid),
    )
