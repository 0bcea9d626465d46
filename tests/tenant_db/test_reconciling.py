"""Broken books are found, each kind by its name; sound ones never are, whoever posts meanwhile."""

import asyncio

import pytest
from sqlalchemy import select, text

from core.clock import utc_now
from core.currency import Currency
from core.errors import NotFound
from core.ids import Kind, new_id, outside
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.alerts.models import Alert
from tenant_db.ledger.accounts import Holding, available, holding, open_accounts
from tenant_db.ledger.posting import NewTransfer, post
from tenant_db.ledger.rules import TransferKind
from tenant_db.reconciliation.rules import OF_A_KIND_MAX
from tests.databases import PostgresServer
from tests.factories.ledger import make_account
from tests.factories.payments import Shop, make_shop
from tests.factories.reconciliation import check, findings_of, kinds_of, move, pay, tamper

STORE = "code LIKE 'store:%'"
PLACE = "code LIKE 'holding:%'"
ONE_PLACE = f"id = (SELECT id FROM ledger_accounts WHERE {PLACE} ORDER BY posted_debits_minor DESC LIMIT 1)"  # noqa: S608 - ours
MORE = "posted_credits_minor = posted_credits_minor + 100"


@pytest.fixture
async def shop(tenant: Tenant) -> Shop:
    """A shop that sold twice."""
    shop = await make_shop(tenant)
    await pay(tenant, shop, "TKX0000001")
    await pay(tenant, shop, "TKX0000002")
    return shop


async def test_sound_books_give_no_finding(tenant: Tenant, shop: Shop) -> None:
    await move(tenant, shop, "store", "fees", TransferKind.FEE, "a fee")
    await move(tenant, shop, "place", "suspense", TransferKind.TRANSFER, "TKX0000009")

    own, shared = await check(tenant, shop.store_id), await check(tenant, None)

    assert await findings_of(tenant) == []
    assert (own.account_count, own.entry_count, own.payment_count, own.finding_count) == (1, 3, 2, 0)
    assert (shared.account_count >= 3, shared.entry_count) == (True, 5)
    assert own.finished_at is not None
    assert not own.is_cut_off


async def test_a_store_that_never_sold_is_sound_and_an_unknown_one_is_refused(tenant: Tenant) -> None:
    shop = await make_shop(tenant)

    assert (await check(tenant, shop.store_id)).finding_count == 0
    with pytest.raises(NotFound):
        await check(tenant, new_id())


CHANGED = {
    "account_balance": f"UPDATE ledger_accounts SET {MORE} WHERE {STORE}",  # noqa: S608 - ours
    "hold_total": f"UPDATE ledger_accounts SET pending_debits_minor = 100 WHERE {STORE}",  # noqa: S608 - ours
    "entry_gap": f"UPDATE ledger_accounts SET entry_count = entry_count + 1 WHERE {STORE}",  # noqa: S608 - ours
    "running_balance": "UPDATE ledger_entries SET balance_after_minor = balance_after_minor + 100"  # noqa: S608 - ours
    f" WHERE sequence = 2 AND account_id = (SELECT id FROM ledger_accounts WHERE {STORE})",
    "entry_mismatch": "UPDATE ledger_transfers SET amount_minor = amount_minor + 100"
    " WHERE id = (SELECT max(id::text)::uuid FROM ledger_transfers)",
}


@pytest.mark.parametrize("kind", CHANGED)
async def test_each_change_behind_the_ledger_s_back_is_found(
    tenant: Tenant, shop: Shop, postgres: PostgresServer, kind: str
) -> None:
    await tamper(postgres, tenant, CHANGED[kind])

    await check(tenant, shop.store_id)

    finding = next(each for each in await findings_of(tenant, "open") if each.kind == kind)
    assert finding.store_id == shop.store_id
    assert len(finding.account_ids) == 1
    assert finding.account_ids[0].startswith("lacc_")
    assert finding.cause
    if kind != "entry_gap":
        assert finding.difference is not None
        assert abs(finding.difference.minor) == 100


async def test_only_what_is_broken_is_named(tenant: Tenant, shop: Shop, postgres: PostgresServer) -> None:
    await tamper(postgres, tenant, CHANGED["hold_total"])
    await check(tenant, shop.store_id)
    await check(tenant, shop.store_id)
    assert await kinds_of(tenant) == ["hold_total"]
    async with tenant.reading() as session:
        (alert,) = await session.scalars(select(Alert))
    assert (alert.kind, alert.subject, alert.count) == ("books_disagree", "hold_total", 1)


async def test_a_lost_entry_is_one_gap_and_the_transfer_that_lacks_it(
    tenant: Tenant, shop: Shop, postgres: PostgresServer
) -> None:
    await pay(tenant, shop, "TKX0000003")
    first = f"sequence = 2 AND account_id = (SELECT id FROM ledger_accounts WHERE {STORE})"  # noqa: S608 - ours
    await tamper(postgres, tenant, f"DELETE FROM ledger_entries WHERE {first}")  # noqa: S608 - ours

    await check(tenant, shop.store_id)

    assert await kinds_of(tenant) == ["account_balance", "entry_gap", "entry_mismatch"]
    gap = next(each for each in await findings_of(tenant) if each.kind == "entry_gap")
    assert gap.subject.endswith("before entry 3")
    assert gap.difference is None


async def test_a_holding_that_is_not_the_sum_of_its_parts_is_found(
    tenant: Tenant, shop: Shop, postgres: PostgresServer
) -> None:
    await move(tenant, shop, "store", "fees", TransferKind.FEE, "a fee")
    less = "posted_debits_minor = posted_debits_minor - 100"
    await tamper(postgres, tenant, f"UPDATE ledger_accounts SET {less} WHERE {ONE_PLACE}")  # noqa: S608 - ours

    await check(tenant, shop.store_id)
    assert await kinds_of(tenant) == ["holding_total"]
    await check(tenant, None)

    by_kind = {each.kind: each for each in await findings_of(tenant, "open")}
    assert sorted(by_kind) == ["account_balance", "books_unbalanced", "holding_total"]
    assert by_kind["holding_total"].difference == Money(-100, Currency.KES)
    assert by_kind["books_unbalanced"].difference == Money(100, Currency.KES)


async def test_the_shards_of_a_holding_count_as_one(tenant: Tenant, shop: Shop) -> None:
    place = outside(Kind.CHANNEL, shop.channel_id)
    shard, store = new_id(), available(shop.store_id, Holding.of_channel(shop.channel_id), Currency.KES)
    async with tenant.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO ledger_accounts SELECT :id, created_at, code, currency, 999, normal_side,"  # noqa: S608 - ours
                " custody, holding, store_id, floor_minor, ceiling_minor, 0, 0, 0, 0, 0, NULL"
                f" FROM ledger_accounts WHERE {PLACE} LIMIT 1"
            ),
            {"id": shard},
        )
        (target,) = await open_accounts(session, store)
        amount = Money(300, Currency.KES)
        await post(session, NewTransfer(shard, target, amount, TransferKind.ADJUSTMENT, place, "shard"))

    await check(tenant, shop.store_id)
    await check(tenant, None)

    assert await kinds_of(tenant) == []


async def test_money_moved_between_holdings_in_the_books_alone_is_found(tenant: Tenant, shop: Shop) -> None:
    other = await make_shop(tenant, short_code="600100")
    await pay(tenant, other, "TKX0000004")
    one, two = (Holding.of_channel(each.channel_id) for each in (shop, other))
    kes = Currency.KES
    async with tenant.transaction() as session:
        mine, theirs, here, there = await open_accounts(
            session,
            available(shop.store_id, one, kes),
            available(other.store_id, two, kes),
            holding(one, kes),
            holding(two, kes),
        )
        whose = NewTransfer(mine, theirs, Money(400, kes), TransferKind.TRANSFER, "move", "whose")
        await post(session, whose)
    await check(tenant, None)
    (finding,) = await findings_of(tenant, "open")
    assert finding.kind == "holdings_mixed"
    assert abs(finding.difference.minor if finding.difference else 0) == 400

    async with tenant.transaction() as session:
        where = NewTransfer(there, here, Money(400, kes), TransferKind.TRANSFER, "move", "where")
        await post(session, where)
    await check(tenant, None)

    assert await kinds_of(tenant) == []


async def test_the_same_discrepancy_is_one_finding_and_marked_when_it_is_gone(
    tenant: Tenant, shop: Shop, postgres: PostgresServer
) -> None:
    await tamper(postgres, tenant, CHANGED["hold_total"])
    await check(tenant, shop.store_id)
    await pay(tenant, shop, "TKX0000003")
    second = await check(tenant, shop.store_id)
    (finding,) = await findings_of(tenant)
    assert finding.reconciliation_id == second.id
    assert finding.difference == Money(100, Currency.KES)

    await tamper(postgres, tenant, CHANGED["hold_total"].replace("= 100", "= 0"))
    assert (await check(tenant, shop.store_id)).finding_count == 0
    (gone,) = await findings_of(tenant)
    assert (gone.state, gone.vanished_at is None) == ("vanished", False)

    await tamper(postgres, tenant, CHANGED["hold_total"])
    await check(tenant, shop.store_id)
    (again,) = await findings_of(tenant, "open")
    assert (again.id, again.vanished_at) == (finding.id, None)


async def test_a_check_marks_nothing_of_another_scope_as_gone(
    tenant: Tenant, shop: Shop, postgres: PostgresServer
) -> None:
    other = await make_shop(tenant, short_code="600100")
    await tamper(postgres, tenant, CHANGED["hold_total"])
    await check(tenant, shop.store_id)

    await check(tenant, other.store_id)
    await check(tenant, None)

    assert await kinds_of(tenant) == ["hold_total"]


async def test_what_was_cut_off_is_not_taken_for_gone(tenant: Tenant, shop: Shop) -> None:
    for number in range(OF_A_KIND_MAX + 1):
        await move(tenant, shop, "place", "store", TransferKind.SALE, f"by hand {number}")

    first = await check(tenant, shop.store_id)
    second = await check(tenant, shop.store_id)

    assert (first.is_cut_off, first.finding_count, second.finding_count) == (
        True,
        OF_A_KIND_MAX,
        OF_A_KIND_MAX,
    )


async def test_what_is_posted_meanwhile_is_never_a_finding(tenant: Tenant, shop: Shop) -> None:
    """Rivals sell, park and take fees for as long as the checks run, and all are in flight among them."""
    stop = asyncio.Event()

    async def sell(number: int) -> None:
        count = 0
        while not stop.is_set():
            await pay(tenant, shop, f"TK{number}{count:07}")
            await move(tenant, shop, "place", "suspense", TransferKind.TRANSFER, f"p{number}-{count}")
            await move(tenant, shop, "store", "fees", TransferKind.FEE, f"f{number}-{count}", minor=1)
            count += 1

    rivals = [asyncio.create_task(sell(number)) for number in range(4)]
    checked = [await check(tenant, store_id) for _ in range(6) for store_id in (shop.store_id, None)]
    stop.set()
    await asyncio.gather(*rivals)

    assert await findings_of(tenant) == []
    assert checked[-2].entry_count > checked[0].entry_count, "nothing was posted meanwhile"


async def test_accounts_whose_balances_have_no_entries_behind_them_are_found(tenant: Tenant) -> None:
    await make_account(tenant, "fees:platform", balance_minor=5)

    await check(tenant, None)

    assert await kinds_of(tenant) == ["account_balance", "books_unbalanced"]
    assert utc_now() > (await findings_of(tenant))[0].seen_at
