"""Claiming and confirming at once leave what the verbs leave, and only where nothing objects."""

from datetime import datetime, timedelta
from hashlib import sha256

import pytest
from sqlalchemy import select, update

from core.clock import utc_now
from core.collecting import Method
from tenancy.outbox import announce
from tenancy.sessions import Tenant
from tenant_db.calls.models import ProviderCall
from tenant_db.calls.recording import NewCall, record_call
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments import submitting
from tenant_db.payments.attempts import Attempt
from tenant_db.payments.machine import NEXT, PaymentStatus
from tenant_db.payments.models import Payment, PaymentEvent
from tenant_db.payments.rules import StillPending
from tenant_db.payments.submitting_at_once import Asking, Seen, claim_at_once, confirm_at_once
from tests.conftest import RecordedSignals
from tests.factories.payments import initiate, make_shop, read

ASKING = Asking("payments", "poll_payment", 10)
Table = Payment | PaymentEvent | TenantOutbox | ProviderCall
TABLES: list[type[Table]] = [Payment, PaymentEvent, TenantOutbox, ProviderCall]
OWN = {"id", "created_at", "next_attempt_at", "reference", "payment_id", "subject_id", "payload", "item_hash"}
"""What differs between any two payments."""
CALL = NewCall("mpesa", "stk_push", "POST", "/stk", {"Amount": 1}, 200, {"ResponseCode": "0"}, "answered", 7)


def item_of(payment: Payment) -> bytes:
    return sha256(payment.id.bytes).digest()


async def claim(tenant: Tenant, payment: Payment, *, now: datetime | None = None) -> submitting.Claim | None:
    seen = Seen(payment.id, payment.version, payment.store_id)
    return await claim_at_once(tenant, seen, item_of(payment), now or utc_now(), ASKING)


async def rows_of(tenant: Tenant, table: type[Table]) -> list[dict[str, object]]:
    # The first one was written with the payment, whose time the test sets.
    order = [table.payment_id, table.version] if table is PaymentEvent else [table.created_at, table.id]
    async with tenant.reading() as session:
        found = (await session.scalars(select(table).order_by(*order))).all()
    names = [column.name for column in table.__table__.columns if column.name not in OWN]
    return [{name: getattr(row, name) for name in names} for row in found]


async def test_the_statements_leave_the_rows_and_notices_of_the_verbs(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    shop, now = await make_shop(tenant), utc_now()
    by_verbs = await initiate(tenant, shop, now=now)
    async with tenant.transaction() as session:
        claimed = await submitting.claim(session, by_verbs.id, item_of(by_verbs), now)
        announce(session, "poll_payment", queue="payments", after_s=10, payment_id=str(by_verbs.id))
    async with tenant.transaction() as session:
        ids = "ws_CO_1", "1111-1"
        await submitting.accept(session, by_verbs.id, ids, StillPending(), now)
        record_call(session, by_verbs.id, CALL)
    told = notices(signals)
    signals.after.clear()
    other = await initiate(tenant, shop, now=now)
    signals.after.clear()

    at_once = await claim(tenant, other, now=now)
    assert await confirm_at_once(tenant, other.id, item_of(other), ("ws_CO_2", "1111-1"), CALL)

    for table in TABLES:
        rows = await rows_of(tenant, table)
        half = len(rows) // 2
        assert [row | {"provider_reference": ""} for row in rows[:half]] == [
            row | {"provider_reference": ""} for row in rows[half:]
        ], table
    assert isinstance(claimed, submitting.Claim)
    assert at_once is not None
    same = {"payment_id", "attempt_key", "reference"}
    for name in set(Attempt.__dataclass_fields__) - same:
        assert getattr(at_once.attempt, name) == getattr(claimed.attempt, name), name
    assert at_once.is_first
    assert notices(signals) == told[-4:]
    assert {queue for after in signals.after for queue in after.due} == {"payments"}


def notices(signals: RecordedSignals) -> list[tuple[str, dict[str, object]]]:
    told = [notice for after in signals.after for notice in after.notices]
    return [(one.topic.split(":")[0], one.payload | {"id": ""}) for one in told]


UNUSUAL: dict[str, dict[str, object]] = {
    "of an order": {"order_reference": "INV1042"},
    "sent before": {"item_hash": b"an earlier claim"},
    "under way": {"status": "submitting"},
    "of another method": {"method": Method.CARD.value},
    "of no channel": {"channel_id": None},
    "changed since": {"version": 2},
    "too late": {"expires_at": utc_now() - timedelta(minutes=1)},
}


@pytest.mark.parametrize("changes", UNUSUAL.values(), ids=UNUSUAL.keys())
async def test_the_unusual_is_not_claimed_and_nothing_is_written(
    tenant: Tenant, changes: dict[str, object]
) -> None:
    payment = await initiate(tenant, await make_shop(tenant))
    await change(tenant, payment, changes)
    before = [await rows_of(tenant, table) for table in TABLES]

    assert await claim(tenant, payment) is None

    assert [await rows_of(tenant, table) for table in TABLES] == before


CONTRADICTED: dict[str, dict[str, object]] = {
    "cut off": {"status": "unknown"},
    "claimed anew": {"item_hash": b"a later claim"},
    "known by an id": {"provider_reference": "ws_CO_0"},
    "another provider's": {"provider": "stripe"},
}


@pytest.mark.parametrize("changes", CONTRADICTED.values(), ids=CONTRADICTED.keys())
async def test_what_happened_meanwhile_is_left_to_the_verb(
    tenant: Tenant, changes: dict[str, object]
) -> None:
    payment = await initiate(tenant, await make_shop(tenant))
    assert await claim(tenant, payment) is not None
    await change(tenant, payment, changes)
    before = [await rows_of(tenant, table) for table in TABLES]

    assert not await confirm_at_once(tenant, payment.id, item_of(payment), ("ws_CO_1", None), CALL)

    assert [await rows_of(tenant, table) for table in TABLES] == before


async def test_an_id_of_another_payment_is_not_taken_at_once(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    first, second = [await initiate(tenant, shop) for _ in range(2)]
    for payment in (first, second):
        assert await claim(tenant, payment) is not None
    assert await confirm_at_once(tenant, first.id, item_of(first), ("ws_CO_1", None), CALL)

    assert not await confirm_at_once(tenant, second.id, item_of(second), ("ws_CO_1", None), CALL)

    assert (await read(tenant, second.id)).status == "submitting"


def test_the_statements_take_steps_of_the_machine() -> None:
    assert PaymentStatus.SUBMITTING in NEXT[PaymentStatus.CREATED]
    assert PaymentStatus.PENDING in NEXT[PaymentStatus.SUBMITTING]


async def change(tenant: Tenant, payment: Payment, changes: dict[str, object]) -> None:
    async with tenant.transaction() as session:
        await session.execute(update(Payment).where(Payment.id == payment.id).values(changes))
