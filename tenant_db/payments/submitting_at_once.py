"""The usual payment's way to its provider, a statement for each step; `submitting` has the rules.

Each statement writes nothing where anything is unusual, and says so: then `submitting` decides.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from core.clock import utc_now
from core.collecting import CaptureMode, Method
from core.currency import Currency
from core.ids import new_id
from core.money import Money
from core.phone import Phone
from tenancy.metrics import PAYMENTS
from tenancy.sessions import AfterCommit, Tenant
from tenant_db.calls.recording import NewCall
from tenant_db.payments.attempts import Attempt
from tenant_db.payments.machine import PENDING, SUBMITTING
from tenant_db.payments.rules import MPESA, PAYER_WINDOWS
from tenant_db.payments.stepping import notices_of
from tenant_db.payments.submitting import Claim


class Seen(NamedTuple):
    """A payment as it was read without its lock."""

    id: UUID
    version: int
    store_id: UUID


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for a payment that was claimed, and when first."""

    queue: str
    kind: str
    after_s: float


async def claim_at_once(
    tenant: Tenant, seen: Seen, item_hash: bytes, now: datetime, asking: Asking
) -> Claim | None:
    """As `submitting.claim` of a prompt of no order that was never claimed, with the job that asks for it.

    None, and nothing is written, where it is any other payment, or no longer the one that was seen.

    Raises:
        TenantNotServed, TransactionInterrupted: as `Tenant.write`.
    """
    written = utc_now()
    due = written + timedelta(seconds=asking.after_s)
    notices = notices_of(seen.id, seen.version + 1, SUBMITTING.value, seen.store_id)
    rows = await tenant.write(
        _CLAIM,
        seen.id,
        seen.version,
        item_hash,
        now,
        now + PAYER_WINDOWS[Method.MOBILE_MONEY],
        new_id(),
        written,
        asking.queue,
        asking.kind,
        due,
        after=AfterCommit(notices, {asking.queue: due.timestamp()}),
    )
    if not rows:
        return None
    PAYMENTS.labels(rows[0]["provider"], SUBMITTING.value).inc()
    return Claim(_attempt(rows[0]), item_hash, is_first=True)


async def confirm_at_once(
    tenant: Tenant, payment_id: UUID, item_hash: bytes, ids: tuple[str, str | None], call: NewCall
) -> bool:
    """As `submitting.confirm` of a claim to which nothing has happened since, with the call that was made.

    False, and nothing is written, where anything has, or the id is another payment's.

    Raises:
        TenantNotServed, TransactionInterrupted: as `Tenant.write`.
    """
    try:
        rows = await tenant.write(
            _CONFIRM,
            payment_id,
            item_hash,
            *ids,
            new_id(),
            utc_now(),
            new_id(),
            call.provider,
            call.operation,
            call.method,
            call.path,
            orjson.dumps(call.request, default=str).decode(),
            call.status,
            None if call.response is None else orjson.dumps(call.response, default=str).decode(),
            call.outcome,
            call.duration_ms,
            after=AfterCommit(),
        )
    except asyncpg.UniqueViolationError:
        # A rival has written the same id at this moment.
        return False
    if not rows:
        return False
    PAYMENTS.labels(MPESA, PENDING.value).inc()
    await tenant.tell(AfterCommit(notices_of(payment_id, *rows[0])))
    return True


def _attempt(row: asyncpg.Record) -> Attempt:
    return Attempt(
        payment_id=row["id"],
        account_id=row["provider_account_id"],
        attempt_key=str(row["id"]) if row["attempt"] == 1 else f"{row['id']}-{row['attempt']}",
        amount=Money(int(row["amount_minor"]), Currency(row["currency"])),
        reference=row["reference"],
        description=row["description"],
        method=Method(row["method"]),
        capture=CaptureMode(row["capture_mode"]),
        phone=Phone(row["phone"]) if row["phone"] else None,
        email=row["email"],
        payer_name=row["payer_name"],
        return_url=row["return_url"],
        sent_at=row["submitted_at"],
    )


# The job has the payment's id: whoever settles the payment can end it without a search.
_CLAIM: Final = """
WITH claimed AS (
    UPDATE payments
    SET status = 'submitting', version = version + 1, item_hash = $3, submitted_at = $4, expires_at = $5,
        polls = 0
    WHERE id = $1 AND version = $2 AND status = 'created' AND expires_at > $4 AND item_hash IS NULL
        AND order_reference IS NULL AND order_id IS NULL AND method = 'mobile_money'
        AND channel_id IS NOT NULL
    RETURNING *
),
stepped AS (
    INSERT INTO payment_events
        (id, created_at, payment_id, version, from_status, to_status, sub_status, cause, details)
    SELECT $6::uuid, $7::timestamptz, id, version, 'created', status, sub_status, 'job', '{}' FROM claimed
),
asked AS (
    INSERT INTO outbox (id, created_at, queue, kind, payload, state, attempts, next_attempt_at)
    SELECT id, $7, $8::text, $9::text, jsonb_build_object('payment_id', id::text), 'pending', 0,
        $10::timestamptz
    FROM claimed
)
SELECT claimed.*, customers.name AS payer_name
FROM claimed LEFT JOIN customers ON customers.id = claimed.customer_id
"""
_CONFIRM: Final = """
WITH confirmed AS (
    UPDATE payments AS payment
    SET status = 'pending', version = version + 1, sub_status = 'stk_initiated', provider_reference = $3,
        request_reference = $4
    WHERE id = $1 AND item_hash = $2 AND status = 'submitting' AND provider = 'mpesa'
        AND provider_reference IS NULL AND channel_id IS NOT NULL AND order_id IS NULL
        AND NOT EXISTS (
            SELECT FROM payments AS rival
            WHERE rival.channel_id = payment.channel_id AND rival.provider_reference = $3
                AND rival.id <> payment.id
        )
    RETURNING id, version, status, sub_status, store_id
),
stepped AS (
    INSERT INTO payment_events
        (id, created_at, payment_id, version, from_status, to_status, sub_status, cause, details)
    SELECT $5::uuid, $6::timestamptz, id, version, 'submitting', status, sub_status, 'job', '{}'
    FROM confirmed
),
called AS (
    INSERT INTO provider_calls
        (id, created_at, provider, operation, subject_id, method, path, request, status, response, outcome,
         duration_ms)
    SELECT $7::uuid, $6, $8::text, $9::text, id, $10::text, $11::text, $12::text::jsonb, $13::integer,
        $14::text::jsonb, $15::text, $16::integer
    FROM confirmed
)
SELECT version, status, store_id FROM confirmed
"""
