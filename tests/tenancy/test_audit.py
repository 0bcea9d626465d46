"""The audit log says who did what, from where and why, in the transaction it describes."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from core.ids import new_id
from tenancy.audit import SYSTEM, Actor, record_audit
from tenancy.columns import AuditColumns
from tenancy.sessions import OwnerDatabase, Tenant
from tenancy.shapes import model_of

STAFF = Actor("staff", new_id(), "203.0.113.7", "Mozilla/5.0", "req_1")


async def test_an_audit_row_says_who_what_whence_and_why(owner: OwnerDatabase) -> None:
    async with owner.transaction() as session:
        record_audit(
            session, STAFF, "suspend_tenant", subject="ten_1", reason="fraud", details={"ticket": "T-1"}
        )

    async with owner.reading() as session:
        row = (await session.scalars(select(model_of(session, AuditColumns)))).one()
    assert Actor(row.actor_kind, row.actor_id, row.ip, row.user_agent, row.request_id) == STAFF
    assert (row.action, row.subject, row.reason) == ("suspend_tenant", "ten_1", "fraud")
    assert row.details == {"ticket": "T-1"}


async def test_an_audit_row_falls_with_its_transaction(tenant: Tenant) -> None:
    with pytest.raises(ZeroDivisionError):
        async with tenant.transaction() as session:
            record_audit(session, SYSTEM, "settle_payment")
            await session.flush()
            raise ZeroDivisionError

    async with tenant.reading() as session:
        assert (await session.scalars(select(model_of(session, AuditColumns)))).all() == []


@pytest.mark.parametrize("change", ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log"])
async def test_nobody_rewrites_the_log(tenant: Tenant, owner: OwnerDatabase, change: str) -> None:
    for database in (tenant, owner):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with database.transaction() as session:
                await session.execute(text(change))
