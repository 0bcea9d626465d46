"""An act and its job are the rows that recording each alone would leave."""

from sqlalchemy import select

from tenancy.acts import Act, Job, record_act
from tenancy.audit import Actor, record_audit
from tenancy.outbox import announce
from tenancy.sessions import Tenant
from tenant_db.audit.models import TenantAudit
from tenant_db.outbox.models import TenantOutbox
from tests.conftest import RecordedSignals

ACTOR = Actor("user", None, "192.0.2.7", "tests", "request-1")


def _values(row: TenantAudit | TenantOutbox) -> dict[str, object]:
    own = {"id", "created_at", "next_attempt_at"}
    return {name: getattr(row, name) for name in row.__table__.columns.keys() if name not in own}  # noqa: SIM118 - not a dict


async def test_both_ways_leave_the_same_rows(tenant: Tenant, signals: RecordedSignals) -> None:
    async with tenant.transaction() as session:
        record_audit(session, ACTOR, "initiate_payment", subject="pay_1")
        announce(session, "submit_payment", queue="payments", payment_id="1")
    async with tenant.transaction() as session:
        act = Act(ACTOR, "initiate_payment", "pay_1")
        await record_act(session, act, Job("submit_payment", "payments", {"payment_id": "1"}))

    async with tenant.reading() as session:
        one, other = await session.scalars(select(TenantAudit).order_by(TenantAudit.id))
        first, second = await session.scalars(select(TenantOutbox).order_by(TenantOutbox.id))
    assert _values(one) == _values(other)
    assert _values(first) == _values(second)
    assert second.next_attempt_at == second.created_at
    assert [list(after.due) for after in signals.after] == [["payments"], ["payments"]]
