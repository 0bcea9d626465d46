"""The usual callback of a payment in three statements; `settling` has the rules.

Judged by the same rules and posted through the same book. Where anything is unusual nothing is
written, and `settling` decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from core.clock import utc_now
from core.collecting import CaptureMode
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from tenancy.errors import TransactionInterrupted
from tenancy.metrics import PAYMENTS
from tenancy.sessions import AfterCommit, Tenant, TenantSession
from tenant_db.channels.sharing import SHARES
from tenant_db.ledger.accounts import AccountPlan, Holding, available, holding
from tenant_db.ledger.book import Book
from tenant_db.ledger.commands import NewTransfer
from tenant_db.ledger.errors import LedgerRefusal
from tenant_db.ledger.locking import STATE_COLUMNS, fetch, state_of
from tenant_db.ledger.recording import Part, Rows, record
from tenant_db.ledger.rules import TransferKind
from tenant_db.payments.judging import Ruling, Standing, Statement, judge
from tenant_db.payments.machine import PENDING, SUCCEEDED, PaymentStatus
from tenant_db.payments.rules import MPESA, Cause, Paid
from tenant_db.payments.settling import Callback
from tenant_db.payments.stepping import notices_of


async def settle_at_once(tenant: Tenant, inbox_id: UUID, callback: Callback, now: datetime) -> bool:
    """Settle a payment, post its money, close the message and end the job that asks, in one transaction.

    A message that repeats what is settled is closed. False, and nothing is written, where the payment is
    not simply waiting for this very callback.

    Raises:
        TenantNotServed: the tenant has no connection to give now.
    """
    told = callback.told
    if not isinstance(told, Paid) or told.receipt is None:
        return False
    seen = await _look(tenant, callback)
    if seen is not None and seen.is_usual and _ruling(seen, callback) is Ruling.SUCCEED:
        if await settle_seen(tenant, seen, Telling(inbox_id, told.receipt, Cause.CALLBACK, now)):
            return True
        # Its confirmation may have settled it at this moment.
        seen = await _look(tenant, callback)
    if seen is None or _ruling(seen, callback) is not Ruling.NOTHING:
        return False
    # Who has succeeded keeps its receipt for ever, so no lock is needed.
    return bool(await tenant.write(_CLOSE, inbox_id, now, after=AfterCommit()))


@dataclass(frozen=True, slots=True)
class Telling:
    """What a message tells of a payment that waits."""

    inbox_id: UUID
    receipt: str
    cause: Cause
    now: datetime
    others: Sequence[Rows] = ()
    """Rows that are written with it."""


class Seen(NamedTuple):
    """A payment as it stands without its lock; `version` tells under the lock whether it still does."""

    id: UUID
    version: int
    status: str
    provider: str
    provider_reference: str | None
    receipt: str | None
    channel_id: UUID | None
    store_id: UUID
    environment: str
    short_code: str | None
    capture_mode: str
    amount: Money
    is_apart: bool
    """Whether it is of no order, and nobody is asked about it."""

    @property
    def is_usual(self) -> bool:
        is_plain = self.is_apart and self.provider == MPESA and self.capture_mode == CaptureMode.AUTOMATIC
        return is_plain and self.status == PENDING and self.receipt is None


def seen_of(row: asyncpg.Record) -> Seen:
    """A payment of SEEN_COLUMNS."""
    return Seen._make((*row[:11], Money(int(row[11]), Currency(row[12])), row[13]))


async def _look(tenant: Tenant, callback: Callback) -> Seen | None:
    rows = await tenant.rows(_BY_ITEM, callback.item_hash)
    return seen_of(rows[0]) if len(rows) == 1 else None


def _ruling(seen: Seen, callback: Callback) -> Ruling | None:
    if seen.channel_id != callback.channel_id:
        return None
    standing = Standing(PaymentStatus(seen.status), seen.amount, seen.provider_reference, seen.receipt)
    # Whether somebody claims the same is looked at under the locks.
    said = Statement(callback.provider_reference, callback.told, is_claimed=False)
    return judge(standing, said)


async def settle_seen(tenant: Tenant, seen: Seen, telling: Telling) -> bool:
    """Settle a payment that `is_usual` and still stands as it was seen; false where nothing was written.

    Raises:
        TenantNotServed: the tenant has no connection to give now.
    """
    try:
        async with tenant.transaction() as session:
            return await _settle(session, seen, telling)
    except TransactionInterrupted:
        return False


async def _settle(session: TenantSession, seen: Seen, telling: Telling) -> bool:
    name = f"receipt:{seen.environment}:{telling.receipt}"
    if not await fetch(session, _LOCK, telling.inbox_id, name):
        return False
    place = Holding.of_channel(seen.channel_id or seen.id)
    plans = holding(place, seen.amount.currency), available(seen.store_id, place, seen.amount.currency)
    locked = await fetch(
        session,
        _LOCK_ALL,
        seen.id,
        seen.version,
        telling.receipt,
        f"sale:{seen.id}",
        seen.amount.currency.value,
        *_names(plans, seen.id),
    )
    if len(locked) != len(plans) or locked[0][0]:
        return False
    accounts = [state_of(row[1:]) for row in locked]
    ids = {account.code: account.id for account in accounts}
    book = Book({account.id: account for account in accounts})
    try:
        book.post([_sale(seen, ids[plans[0].code], ids[plans[1].code])])
    except LedgerRefusal:
        # The money goes to suspense, and a person is asked.
        return False
    session.after.notices += notices_of(seen.id, seen.version + 1, SUCCEEDED.value, seen.store_id)
    await record(session, book, [(_SETTLED, _columns(seen, telling)), *telling.others])
    PAYMENTS.labels(seen.provider, SUCCEEDED.value).inc()
    return True


def _names(plans: Sequence[AccountPlan], spread: UUID) -> list[object]:
    return [value for plan in plans for value in (plan.code, plan.shard(spread))]


def _sale(seen: Seen, source_id: UUID, store_id: UUID) -> NewTransfer:
    return NewTransfer(
        source_id=source_id,
        destination_id=store_id,
        amount=seen.amount,
        kind=TransferKind.SALE,
        reference=outside(Kind.PAYMENT, seen.id),
        idempotency_key=f"sale:{seen.id}",
    )


def _columns(seen: Seen, telling: Telling) -> list[Sequence[Any]]:
    row = (
        seen.id,
        seen.version + 1,
        telling.receipt,
        telling.cause.value,
        telling.now,
        telling.inbox_id,
        new_id(),
        utc_now(),
    )
    return [[value] for value in row]


SEEN_COLUMNS: Final = """
    payment.id, payment.version, payment.status, payment.provider, payment.provider_reference,
    payment.receipt, payment.channel_id, payment.store_id, payment.environment, payment.short_code,
    payment.capture_mode, payment.amount_minor, payment.currency,
    payment.order_reference IS NULL AND payment.order_id IS NULL AND payment.captured_minor IS NULL
        AND NOT payment.needs_review"""
_BY_ITEM: Final = f"SELECT {SEEN_COLUMNS} FROM payments AS payment WHERE item_hash = $1"  # noqa: S608 - ours
_CLOSE: Final = """
UPDATE inbox SET state = 'processed', processed_at = $2 WHERE id = $1 AND state = 'received' RETURNING id
"""
# As `lock_receipt`, after the message's own lock; what is read next sees what its last holder wrote.
_LOCK: Final = """
SELECT pg_advisory_xact_lock(hashtextextended($2::text, 0))
FROM (SELECT id FROM inbox WHERE id = $1 AND state = 'received' FOR UPDATE) AS message
"""
# First the payment, then the accounts in the order of their ids: everybody does it so.
_LOCK_ALL: Final = f"""
WITH standing AS MATERIALIZED (
    SELECT id AS payment_id, environment, channel_id FROM payments
    WHERE id = $1 AND version = $2 AND status = 'pending' FOR UPDATE
),
sharing AS MATERIALIZED (
    SELECT other.short_code
    FROM standing JOIN channels AS ours ON ours.id = standing.channel_id
    JOIN channels AS other ON {SHARES}
),
locked AS MATERIALIZED (
    SELECT account.* FROM standing, ledger_accounts AS account
    WHERE (account.code, account.currency, account.shard)
        IN (($6::text, $5::text, $7::integer), ($8::text, $5::text, $9::integer))
    ORDER BY account.id FOR NO KEY UPDATE OF account
)
SELECT
    EXISTS (
        SELECT FROM payments AS rival
        WHERE rival.environment = standing.environment
            AND rival.short_code = ANY (ARRAY(SELECT short_code FROM sharing)) AND rival.receipt = $3
    )
    OR EXISTS (
        SELECT FROM payment_confirmations AS told
        WHERE told.environment = standing.environment
            AND told.short_code = ANY (ARRAY(SELECT short_code FROM sharing)) AND told.receipt = $3
    )
    OR EXISTS (SELECT FROM ledger_transfers WHERE idempotency_key = $4)
    OR EXISTS (SELECT FROM webhook_endpoints WHERE is_enabled AND deleted_at IS NULL),
    {STATE_COLUMNS}
FROM standing, locked
"""  # noqa: S608 - ours
_SETTLED: Final = Part(
    {
        "id": "uuid",
        "version": "integer",
        "receipt": "text",
        "cause": "text",
        "settled_at": "timestamptz",
        "inbox_id": "uuid",
        "event_id": "uuid",
        "written_at": "timestamptz",
    },
    """
settling AS MATERIALIZED (SELECT * FROM {rows}),
settled AS (
    UPDATE payments AS payment
    SET status = 'succeeded', sub_status = 'stk_success', version = settling.version,
        receipt = settling.receipt, settled_at = settling.settled_at, next_action = NULL,
        failure_code = NULL, failure_message = NULL
    FROM settling WHERE payment.id = settling.id
),
stepped AS (
    INSERT INTO payment_events
        (id, created_at, payment_id, version, from_status, to_status, sub_status, cause, details)
    SELECT event_id, written_at, id, version, 'pending', 'succeeded', 'stk_success', cause,
        jsonb_build_object('receipt', receipt)
    FROM settling
),
closed AS (
    UPDATE inbox SET state = 'processed', processed_at = settling.settled_at
    FROM settling WHERE inbox.id = settling.inbox_id
),
asked AS (
    UPDATE outbox SET state = 'done', finished_at = settling.settled_at, leased_until = NULL
    FROM settling
    WHERE outbox.id = settling.id AND outbox.kind = 'poll_payment' AND outbox.state = 'pending'
)""",
)
