"""Compares the books with what they are about: payments, refunds, payouts.

Each statement sees one moment: a payment settles and posts in one transaction.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text

from core.currency import Currency
from core.errors import InvalidInput
from core.ids import Kind, inside, outside
from tenancy.sessions import TenantSession
from tenant_db.reconciliation.rules import OF_A_KIND_MAX, Discrepancy, FindingKind, Observed

# The key is made of the payment's id, so each look-up is one on a unique index.
_UNSOLD: Final = text("""
SELECT payment.id, coalesce(payment.captured_minor, payment.amount_minor) AS amount_minor,
    payment.currency, sale.id AS transfer_id,
    sale.amount_minor AS sold_minor, sale.destination_id, aside.id AS aside_id
FROM payments AS payment
JOIN unnest(CAST(:place_ids AS uuid[]), CAST(:places AS text[])) AS collecting (id, place)
    ON collecting.id = coalesce(payment.channel_id, payment.provider_account_id)
LEFT JOIN ledger_transfers AS sale ON sale.idempotency_key = 'sale:' || payment.id
LEFT JOIN ledger_accounts AS account ON account.id = sale.destination_id
LEFT JOIN ledger_transfers AS aside
    ON sale.id IS NULL AND aside.idempotency_key = 'sale-aside:' || payment.id
WHERE payment.store_id = :store_id AND payment.status = 'succeeded'
    AND (sale.id IS NULL OR sale.kind <> 'sale'
        OR sale.amount_minor <> coalesce(payment.captured_minor, payment.amount_minor)
        OR sale.currency <> payment.currency OR account.store_id IS DISTINCT FROM payment.store_id
        OR account.holding IS DISTINCT FROM collecting.place)
ORDER BY payment.id LIMIT :most
""")

_UNFOUNDED: Final = text("""
SELECT sale.id, sale.reference, sale.amount_minor, sale.currency, sale.destination_id
FROM ledger_transfers AS sale
JOIN ledger_accounts AS account ON account.id = sale.destination_id
LEFT JOIN payments AS payment
    ON sale.idempotency_key = 'sale:' || payment.id AND payment.status = 'succeeded'
WHERE sale.kind = 'sale' AND account.store_id = :store_id
    AND (account.holding LIKE 'chan!_%' ESCAPE '!' OR account.holding LIKE 'pacc!_%' ESCAPE '!')
    AND payment.id IS NULL
    AND NOT EXISTS (SELECT FROM ledger_transfers AS undoing WHERE undoing.reverses_id = sale.id)
ORDER BY sale.id LIMIT :most
""")

_GIVEN_BACK: Final = text("""
WITH accounts AS MATERIALIZED (
    SELECT id FROM ledger_accounts WHERE store_id = :store_id
), refunds AS (
    SELECT reference, currency, sum(amount_minor) AS refunded, min(id::text)::uuid AS transfer_id,
        min(source_id::text)::uuid AS account_id
    FROM ledger_transfers AS refund
    WHERE kind = 'refund' AND source_id IN (SELECT id FROM accounts)
        AND reference LIKE 'pay!_%' ESCAPE '!'
        AND NOT EXISTS (SELECT FROM ledger_transfers AS undoing WHERE undoing.reverses_id = refund.id)
    GROUP BY reference, currency
)
SELECT refunds.reference, refunds.currency, refunds.refunded, refunds.transfer_id, refunds.account_id,
    coalesce(sum(sale.amount_minor), 0) AS sold
FROM refunds
LEFT JOIN ledger_transfers AS sale ON sale.reference = refunds.reference
    -- What was paid beyond the amount comes to the store only to be given back.
    AND (sale.kind = 'sale' OR sale.idempotency_key LIKE 'excess-released:%')
    AND sale.currency = refunds.currency AND sale.destination_id IN (SELECT id FROM accounts)
GROUP BY refunds.reference, refunds.currency, refunds.refunded, refunds.transfer_id, refunds.account_id
HAVING refunds.refunded > coalesce(sum(sale.amount_minor), 0)
ORDER BY refunds.reference LIMIT :most
""")

_MISBOOKED: Final = text("""
SELECT refund.id, refund.payment_id, refund.amount_minor, refund.currency, refund.status,
    moved.id AS transfer_id, moved.amount_minor AS moved_minor, moved.source_id
FROM refunds AS refund
LEFT JOIN ledger_transfers AS moved ON moved.id = refund.transfer_id
    AND NOT EXISTS (SELECT FROM ledger_transfers AS undoing WHERE undoing.reverses_id = moved.id)
WHERE refund.store_id = :store_id AND CASE refund.status
    WHEN 'succeeded' THEN moved.id IS NULL OR moved.kind <> 'refund'
        OR moved.amount_minor <> refund.amount_minor OR moved.currency <> refund.currency
    -- What could not go back to its store has come back to suspense, by a transfer that undoes none.
    WHEN 'reversed' THEN moved.id IS NOT NULL AND refund.reversal_id IS NULL
    ELSE moved.id IS NOT NULL END
ORDER BY refund.id LIMIT :most
""")

_PAID_TWICE: Final = text("""
SELECT payout.reference, payout.currency, payout.source_id, sum(payout.amount_minor) AS paid,
    min(payout.amount_minor) AS wanted, max(payout.id::text)::uuid AS transfer_id
FROM ledger_transfers AS payout
JOIN ledger_accounts AS account ON account.id = payout.source_id
WHERE payout.kind = 'payout' AND account.store_id = :store_id
    AND NOT EXISTS (SELECT FROM ledger_transfers AS undoing WHERE undoing.reverses_id = payout.id)
GROUP BY payout.reference, payout.currency, payout.source_id
HAVING count(*) > 1
ORDER BY payout.reference LIMIT :most
""")

_SOLD: Final = text("""
SELECT payment.id FROM payments AS payment
JOIN ledger_transfers AS sale ON sale.idempotency_key = 'sale:' || payment.id
WHERE payment.id = ANY(CAST(:ids AS uuid[])) AND payment.status = 'succeeded'
""")


async def check_payments(session: TenantSession, scope: str, store_id: UUID) -> Observed:
    """Whether each paid payment of a store is in the books once, and nothing else is there as a sale."""
    asked: dict[str, Any] = {"store_id": store_id, "most": OF_A_KIND_MAX + 1}
    unsold = await session.execute(_UNSOLD, {**asked, **await _places(session)})
    found = [_unsold(scope, row) for row in unsold]
    unfounded = (await session.execute(_UNFOUNDED, asked)).all()
    credited = await _credited(session, unfounded)
    found += [_unfounded(scope, row, credited) for row in unfounded]
    found += [_refunded(scope, row) for row in await session.execute(_GIVEN_BACK, asked)]
    found += [_misbooked(scope, row) for row in await session.execute(_MISBOOKED, asked)]
    found += [_paid_twice(scope, row) for row in await session.execute(_PAID_TWICE, asked)]
    return Observed.of(found)


async def _places(session: TenantSession) -> dict[str, list[Any]]:
    """Where money can come in, by the id that a payment names it by."""
    channels = (await session.scalars(text("SELECT id FROM channels"))).all()
    accounts = (await session.scalars(text("SELECT id FROM provider_accounts"))).all()
    places = [outside(Kind.CHANNEL, id_) for id_ in channels]
    places += [outside(Kind.PROVIDER_ACCOUNT, id_) for id_ in accounts]
    return {"place_ids": [*channels, *accounts], "places": places}


def _unsold(scope: str, row: Row[*tuple[Any, ...]]) -> Discrepancy:
    if row.transfer_id is not None:
        kind, transfer_id = FindingKind.SALE_WRONG, row.transfer_id
    elif row.aside_id is not None:
        kind, transfer_id = FindingKind.SALE_SET_ASIDE, row.aside_id
    else:
        kind, transfer_id = FindingKind.SALE_MISSING, None
    return Discrepancy(
        kind,
        scope,
        outside(Kind.PAYMENT, row.id),
        () if row.destination_id is None else (row.destination_id,),
        Currency(row.currency),
        int(row.amount_minor),
        int(row.sold_minor or 0),
        transfer_id=transfer_id,
        payment_id=row.id,
    )


async def _credited(session: TenantSession, sales: Sequence[Row[*tuple[Any, ...]]]) -> set[UUID]:
    """Of the payments that these sales name, those that were credited by another sale."""
    named = {id_ for row in sales if (id_ := _payment(row.reference)) is not None}
    return set((await session.scalars(_SOLD, {"ids": list(named)})).all()) if named else set()


def _unfounded(scope: str, row: Row[*tuple[Any, ...]], credited: set[UUID]) -> Discrepancy:
    payment_id = _payment(row.reference)
    is_second = payment_id in credited
    return Discrepancy(
        FindingKind.SALE_DUPLICATE if is_second else FindingKind.SALE_UNFOUNDED,
        scope,
        outside(Kind.TRANSFER, row.id),
        (row.destination_id,),
        Currency(row.currency),
        0,
        int(row.amount_minor),
        transfer_id=row.id,
        payment_id=payment_id if is_second else None,
    )


def _refunded(scope: str, row: Row[*tuple[Any, ...]]) -> Discrepancy:
    return Discrepancy(
        FindingKind.REFUND_EXCESS,
        scope,
        row.reference,
        (row.account_id,),
        Currency(row.currency),
        int(row.sold),
        int(row.refunded),
        transfer_id=row.transfer_id,
        payment_id=_payment(row.reference),
    )


def _misbooked(scope: str, row: Row[*tuple[Any, ...]]) -> Discrepancy:
    return Discrepancy(
        FindingKind.REFUND_WRONG,
        scope,
        outside(Kind.REFUND, row.id),
        () if row.source_id is None else (row.source_id,),
        Currency(row.currency),
        int(row.amount_minor) if row.status == "succeeded" else 0,
        int(row.moved_minor or 0),
        transfer_id=row.transfer_id,
        payment_id=row.payment_id,
    )


def _paid_twice(scope: str, row: Row[*tuple[Any, ...]]) -> Discrepancy:
    return Discrepancy(
        FindingKind.PAYOUT_DUPLICATE,
        scope,
        row.reference,
        (row.source_id,),
        Currency(row.currency),
        int(row.wanted),
        int(row.paid),
        transfer_id=row.transfer_id,
    )


def _payment(reference: str) -> UUID | None:
    """The payment that a reference names; callers' own references name none."""
    try:
        return inside(Kind.PAYMENT, reference)
    except InvalidInput:
        return None
