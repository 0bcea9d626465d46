"""Who is told, after the commit, that balances changed."""

import pytest

from core.ids import new_id
from tenancy.sessions import Notice, Tenant
from tenant_db.ledger.errors import InsufficientFunds
from tenant_db.ledger.feeding import ACCOUNTS_MAX, ANY, tell
from tenant_db.ledger.posting import post
from tests.conftest import RecordedSignals
from tests.factories.ledger import make_account, sale


async def test_postings_of_one_transaction_are_told_once_with_every_account(
    tenant: Tenant, signals: RecordedSignals
) -> None:
    source, first, second = [await make_account(tenant, code) for code in ("a", "b", "c")]
    signals.after.clear()

    async with tenant.transaction() as session:
        await post(session, sale(source, first, key="1"))
        session.after.notices.append(Notice("payments", {}))
        await post(session, sale(source, second, key="2"))

    (told,) = signals.after
    (notice,) = [notice for notice in told.notices if notice.topic == "ledger"]
    assert sorted(notice.payload["accounts"]) == sorted(str(id_) for id_ in (source, first, second))


async def test_a_repeat_changes_no_balance_and_tells_nobody(tenant: Tenant, signals: RecordedSignals) -> None:
    source, target = [await make_account(tenant, code) for code in ("a", "b")]
    async with tenant.transaction() as session:
        await post(session, sale(source, target))
    signals.after.clear()

    async with tenant.transaction() as session:
        await post(session, sale(source, target))

    assert [told.notices for told in signals.after] == [[]]


async def test_what_is_undone_tells_nobody(tenant: Tenant, signals: RecordedSignals) -> None:
    source = await make_account(tenant, "a", floor_minor=0)
    target = await make_account(tenant, "b")
    signals.after.clear()

    with pytest.raises(InsufficientFunds):
        async with tenant.transaction() as session:
            await post(session, sale(target, source, key="1"))
            await post(session, sale(source, target, amount_minor=9_999, key="2"))

    assert signals.after == []


async def test_more_accounts_than_a_notice_names_are_any(tenant: Tenant, signals: RecordedSignals) -> None:
    signals.after.clear()

    async with tenant.transaction() as session:
        tell(session, [new_id() for _ in range(ACCOUNTS_MAX)])
        tell(session, [new_id()])
        tell(session, [new_id()])

    assert [told.notices for told in signals.after] == [[Notice("ledger", {"accounts": [ANY]})]]
