"""The usual confirmation of a payment in a few statements; `matching` has the rules."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from core.clock import utc_now
from core.ids import new_id
from tenancy.sessions import AfterCommit, Tenant
from tenant_db.channels.sharing import SHARES
from tenant_db.ledger.recording import Part
from tenant_db.payments.candidates import NewConfirmation
from tenant_db.payments.rules import Cause
from tenant_db.payments.settling_at_once import SEEN_COLUMNS, Seen, Telling, seen_of, settle_seen


async def match_at_once(tenant: Tenant, inbox_id: UUID, new: NewConfirmation, now: datetime) -> bool:
    """Close a message that confirms what its payment's callback had told, or that settles it in its place.

    False, and nothing is written, where it is anything else, was told before, its channel shares a number
    with another, or the message is not waiting any more. For the first the receipt's lock is not needed:
    who has succeeded keeps its receipt for ever, and of two confirmations of one receipt only the first
    is written.

    Raises:
        TenantNotServed, TransactionInterrupted: as `Tenant.write`.
    """
    if await _match(tenant, inbox_id, new, now) or await _settle(tenant, inbox_id, new, now):
        return True
    # Its callback may have settled it at this moment.
    return await _match(tenant, inbox_id, new, now)


async def _match(tenant: Tenant, inbox_id: UUID, new: NewConfirmation, now: datetime) -> bool:
    rows = await tenant.write(
        _MATCH,
        inbox_id,
        new_id(),
        utc_now(),
        new.channel_id,
        new.short_code,
        new.receipt,
        Decimal(new.amount.minor),
        new.amount.currency.value,
        new.account,
        new.payer,
        new.paid_at,
        now,
        after=AfterCommit(),
    )
    return bool(rows)


async def _settle(tenant: Tenant, inbox_id: UUID, new: NewConfirmation, now: datetime) -> bool:
    """Where the confirmation comes before the callback, and names the payment that waits."""
    reference = new.account.strip().upper()
    rows = await tenant.rows(_BY_REFERENCE, new.channel_id, reference, new.short_code) if reference else []
    if len(rows) != 1:
        return False
    seen = seen_of(rows[0])
    if not seen.is_usual or seen.amount != new.amount:
        return False
    told = [(_CONFIRMATION, [[value] for value in _values(seen, new)])]
    return await settle_seen(tenant, seen, Telling(inbox_id, new.receipt, Cause.CONFIRMATION, now, told))


def _values(seen: Seen, new: NewConfirmation) -> list[Any]:
    return [
        new_id(),
        utc_now(),
        new.channel_id,
        seen.id,
        seen.environment,
        seen.short_code,
        new.receipt,
        Decimal(new.amount.minor),
        new.amount.currency.value,
        new.account,
        new.payer,
        new.paid_at,
    ]


_IS_ALONE: Final = f"NOT EXISTS (SELECT FROM channels AS other WHERE other.id <> ours.id AND {SHARES})"
_BY_REFERENCE: Final = f"""
SELECT {SEEN_COLUMNS}
FROM payments AS payment JOIN channels AS ours ON ours.id = payment.channel_id
WHERE payment.channel_id = $1 AND payment.reference = $2
    AND payment.environment = ours.environment AND payment.short_code = ours.short_code
    AND $3::text IN (ours.short_code, ours.head_office_code)
    AND {_IS_ALONE}
"""  # noqa: S608 - ours
_CONFIRMATION: Final = Part(
    {
        "id": "uuid",
        "created_at": "timestamptz",
        "channel_id": "uuid",
        "payment_id": "uuid",
        "environment": "text",
        "short_code": "text",
        "receipt": "text",
        "amount_minor": "numeric",
        "currency": "text",
        "account": "text",
        "payer": "text",
        "paid_at": "timestamptz",
    },
    """
confirmed AS (
    INSERT INTO payment_confirmations
        (id, created_at, channel_id, payment_id, environment, short_code, receipt, amount_minor, currency,
         account, payer, paid_at, state)
    SELECT new.*, 'matched' FROM {rows}
)""",
)
_MATCH: Final = f"""
WITH message AS MATERIALIZED (
    SELECT id FROM inbox WHERE id = $1 AND state = 'received' FOR UPDATE
),
matched AS (
    INSERT INTO payment_confirmations
        (id, created_at, channel_id, payment_id, environment, short_code, receipt, amount_minor, currency,
         account, payer, paid_at, state)
    SELECT $2::uuid, $3::timestamptz, ours.id, payment.id, ours.environment, ours.short_code,
        $6::text, $7::numeric, $8::text, $9::text, $10::text, $11::timestamptz, 'matched'
    FROM message
    JOIN channels AS ours ON ours.id = $4
    JOIN payments AS payment ON payment.environment = ours.environment
        AND payment.short_code = ours.short_code AND payment.receipt = $6
    WHERE $5::text IN (ours.short_code, ours.head_office_code) AND {_IS_ALONE}
        AND payment.status = 'succeeded' AND payment.amount_minor = $7 AND payment.currency = $8
    ON CONFLICT (environment, short_code, receipt) DO NOTHING
    RETURNING payment_id
)
UPDATE inbox SET state = 'processed', processed_at = $12
FROM matched WHERE inbox.id = $1
RETURNING inbox.id
"""  # noqa: S608 - ours
