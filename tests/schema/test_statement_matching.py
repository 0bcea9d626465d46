"""People match lines with transfers by hand, once, and undo what was wrong."""

from functools import partial

import pytest
from sqlalchemy import select, text

from core.ids import Kind, new_id, outside
from tenancy.context import Services, TenantContext
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.audit.models import TenantAudit
from tests.factories.callers import ask, caller
from tests.factories.payments import Shop, make_shop
from tests.factories.reconciliation import pay
from tests.factories.statement_calls import MATCH, by_hand, file, free, imported, lines, today, undone
from tests.factories.statements import mpesa
from tests.racing import race


@pytest.fixture
async def shop(tenant: Tenant) -> Shop:
    """A shop that sold for KES 1,500 twice."""
    shop = await make_shop(tenant)
    await pay(tenant, shop, "TKX0000001")
    await pay(tenant, shop, "TKX0000002")
    return shop


@pytest.fixture
async def finance(services: Services, tenant: Tenant) -> TenantContext:
    return await caller(services, tenant, Role.FINANCE)


async def test_people_match_what_no_rule_can_and_undo_it(
    tenant: Tenant, shop: Shop, finance: TenantContext
) -> None:
    await imported(finance, file(shop, mpesa(today("TKX0000009", "1,499.00"))))
    (line,) = await lines(finance)
    transfer_id, other = await free(finance, shop)

    first = await by_hand(finance, [line["id"]], [transfer_id])
    assert await by_hand(finance, [line["id"]], [transfer_id]) == first
    match = first["match"]
    assert (match["rule"], match["difference"]["amount"]) == ("BY_HAND", "-1.00")
    assert await free(finance, shop) == [other]
    assert [each["matchId"] for each in await lines(finance, isMatched=True)] == [match["id"]]
    assert (await by_hand(finance, [line["id"]], [other], "again"))["code"] == "MATCH_REFUSED"

    assert (await undone(finance, match["id"]))["match"]["undoneNote"] == "It was another customer"
    assert (await undone(finance, match["id"], "again"))["code"] == "MATCH_REFUSED"
    assert len(await free(finance, shop)) == 2
    shown = (await ask(finance, MATCH, id=match["id"]))["statementMatch"]
    assert (shown["lineIds"], shown["transferIds"]) == ([line["id"]], [transfer_id])
    assert shown["matchedById"] == outside(Kind.USER, finance.signed_in().id)
    assert shown["undoneAt"] is not None
    async with tenant.reading() as session:
        rows = await session.scalars(select(TenantAudit).where(TenantAudit.subject == match["id"]))
        assert {(row.action, row.reason) for row in rows} == {
            ("match_statement_lines", "The till was closed late"),
            ("unmatch_statement", "It was another customer"),
        }
    assert (await by_hand(finance, [line["id"]], [other], "third"))["match"]["id"] != match["id"]


async def test_only_what_moved_money_at_the_lines_place_is_matched(
    tenant: Tenant, shop: Shop, finance: TenantContext
) -> None:
    other = await make_shop(tenant, short_code="600100")
    await pay(tenant, other, "TKX0000005")
    await imported(finance, file(shop, mpesa(today("TKX0000009", "1,500.00"))))
    (line,) = await lines(finance)
    (elsewhere,) = await free(finance, other)
    (own, _) = await free(finance, shop)

    assert (await by_hand(finance, [line["id"]], [elsewhere], "1"))["code"] == "MATCH_REFUSED"
    assert (await by_hand(finance, [line["id"]], [], "2"))["code"] == "INVALID_INPUT"
    assert (await by_hand(finance, [], [own], "3"))["code"] == "INVALID_INPUT"
    unknown = outside(Kind.TRANSFER, new_id())
    assert (await by_hand(finance, [line["id"]], [own, unknown], "4"))["code"] == "NOT_FOUND"
    nowhere = outside(Kind.STATEMENT_LINE, new_id())
    assert (await by_hand(finance, [nowhere], [own], "5"))["code"] == "NOT_FOUND"
    assert len(await free(finance, shop)) == 2


async def test_rivals_match_a_line_once(tenant: Tenant, shop: Shop, finance: TenantContext) -> None:
    await imported(finance, file(shop, mpesa(today("TKX0000009", "1,499.00"))))
    (line,) = await lines(finance)
    transfers = await free(finance, shop)
    turn = f"match:{outside(Kind.CHANNEL, shop.channel_id)}"

    told = await race(
        tenant,
        text("SELECT pg_advisory_xact_lock(hashtextextended(:turn, 0))").bindparams(turn=turn),
        [
            partial(by_hand, finance, [line["id"]], [transfers[number % 2]], str(number))
            for number in range(6)
        ],
    )

    names = [each["__typename"] for each in told if isinstance(each, dict)]
    assert sorted(names) == ["MatchRefusedError"] * 5 + ["MatchStatementLinesSuccess"]
