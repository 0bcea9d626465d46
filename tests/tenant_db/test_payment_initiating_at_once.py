"""A payment written in one statement is the one that a transaction writes, and only where nothing objects."""

from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import DeclarativeBase

from core.clock import utc_now
from core.ids import new_id
from core.phone import Phone
from tenancy.acts import Act, Job, record_act
from tenancy.audit import Actor
from tenancy.idempotency import Once, claim
from tenancy.sessions import Tenant
from tenant_db.audit.models import TenantAudit
from tenant_db.customers.models import Customer
from tenant_db.idempotency.models import TenantIdempotency
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments.initiating import NewPayment, initiate_payment
from tenant_db.payments.initiating_at_once import find_place, write_payment
from tenant_db.payments.models import Payment, PaymentEvent
from tests.conftest import RecordedSignals
from tests.factories.payments import Shop, make_shop, new_payment
from tests.racing import race

ACT = Act(Actor("user", None, "192.0.2.7", "tests", "request-1"), "initiate_payment", "pay_1")
JOB = Job("submit_payment", "payments", {"payment_id": "1"})
TABLES: list[Any] = [Payment, PaymentEvent, Customer, TenantAudit, TenantOutbox, TenantIdempotency]
OWN = {"id", "created_at", "next_attempt_at", "expires_at", "reference", "customer_id", "payment_id", "phone"}
"""What differs between any two payments."""
PHONES = [Phone.parse("+254700000001"), Phone.parse("+254700000002")]


def named(key: str, payment: NewPayment) -> Once:
    return Once("initiate_payment", key, "user:1", {"amount": "1500"}, {"payment": payment.id})


async def write(tenant: Tenant, new: NewPayment, key: str = "key-1") -> dict[str, Any] | None:
    once = named(key, new)
    place = await find_place(tenant, new, once)
    assert place is not None
    return await write_payment(tenant, new, place, utc_now(), once=once, act=ACT, job=JOB)


async def rows_of(tenant: Tenant, table: type[DeclarativeBase]) -> list[dict[str, object]]:
    """In the order in which they were written, without what is each one's own."""
    async with tenant.reading() as session:
        found = (await session.scalars(select(table).order_by(table.created_at))).all()  # type: ignore[attr-defined] # Keyed
    names = [column.name for column in table.__table__.columns if column.name not in OWN]
    return [{name: getattr(row, name) for name in names} for row in found]


async def counts(tenant: Tenant) -> list[int]:
    async with tenant.reading() as session:
        return [await session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES]


async def test_one_statement_leaves_the_rows_of_a_transaction(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    shop = await make_shop(tenant)
    names = {"customer_name": "Jane", "customer_email": "jane@example.com"}
    new, other = (new_payment(shop, phone=phone, **names) for phone in PHONES)
    async with tenant.transaction() as session:
        assert await claim(session, named("same", new)) is None
        await initiate_payment(session, new, utc_now())
        await record_act(session, ACT, JOB)

    written = await write(tenant, other, "other")

    for table in TABLES:
        one, two = await rows_of(tenant, table)
        assert one | {"key": "", "result": {}} == two | {"key": "", "result": {}}
    assert written is not None
    async with tenant.reading() as session:
        stored = await session.get_one(Payment, other.id)
    assert {name: getattr(stored, name) for name in Payment.__table__.columns.keys()} == {  # noqa: SIM118 - not a dict
        name: written[name]
        for name in Payment.__table__.columns.keys()  # noqa: SIM118 - not a dict
    }
    before, after = signals.after[-2:]
    assert [notice.topic for notice in after.notices] == [f"payment:{other.id}", "payments"]
    assert list(before.due) == list(after.due) == ["payments"]
    assert signals.before[-1] is after


async def test_a_key_that_is_taken_meanwhile_writes_nothing_and_tells_nobody(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    shop = await make_shop(tenant)
    first, second = new_payment(shop), new_payment(shop, phone=PHONES[1])
    place = await find_place(tenant, second, named("key-1", second))
    assert place is not None
    await write(tenant, first)
    told = len(signals.after)

    now = utc_now()
    again = await write_payment(tenant, second, place, now, once=named("key-1", second), act=ACT, job=JOB)

    assert again is None
    assert await counts(tenant) == [1] * len(TABLES)
    assert len(signals.after) == told


async def test_rivals_for_one_key_write_one_payment(tenant: Tenant) -> None:
    shop = await make_shop(tenant)

    done = await race(
        tenant,
        text("LOCK TABLE idempotency_records IN EXCLUSIVE MODE"),
        [lambda: write(tenant, new_payment(shop)) for _ in range(3)],
    )

    assert sorted(row is None for row in done) == [False, True, True]
    assert await counts(tenant) == [1] * len(TABLES)


@pytest.mark.parametrize(
    "changes",
    [
        {"order_reference": "1042"},
        {"description": ""},
        {"channel_id": new_id()},
        {"store_id": new_id()},
    ],
)
async def test_whatever_objects_is_left_to_a_transaction(tenant: Tenant, changes: dict[str, object]) -> None:
    shop = await make_shop(tenant)
    new = new_payment(shop, **changes)

    assert await find_place(tenant, new, named("key-1", new)) is None


async def test_a_used_key_is_left_to_a_transaction(tenant: Tenant) -> None:
    shop: Shop = await make_shop(tenant)
    await write(tenant, new_payment(shop))
    new = new_payment(shop)

    assert await find_place(tenant, new, named("key-1", new)) is None
    assert await find_place(tenant, new, named("key-2", new)) is not None
