"""A transfer is undone once, by a second one that names it."""

from uuid import UUID

import pytest
from sqlalchemy import select

from core.ids import new_id
from tenancy.sessions import Tenant
from tenant_db.ledger.errors import AlreadyReversed, InsufficientFunds, NotReversible, TransferUnknown
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.posting import post
from tenant_db.ledger.results import Posted
from tenant_db.ledger.reversing import reverse
from tenant_db.ledger.rules import NormalSide, Overdraft
from tests.factories.ledger import balance_of, make_account, sale
from tests.racing import race


async def sold(tenant: Tenant) -> tuple[Posted, UUID, UUID]:
    source = await make_account(tenant, "holding:one", side=NormalSide.DEBIT)
    target = await make_account(tenant, "store:one:available:one", floor_minor=0)
    async with tenant.transaction() as session:
        return await post(session, sale(source, target)), source, target


async def reversed_in(
    tenant: Tenant, id_: UUID, reason: str = "mistake", overdraft: Overdraft = Overdraft.REFUSED
) -> Posted:
    async with tenant.transaction() as session:
        return await reverse(session, id_, reason, overdraft)


async def test_a_reversal_moves_the_whole_amount_back(tenant: Tenant) -> None:
    transfer, source, target = await sold(tenant)

    undone = await reversed_in(tenant, transfer.id)

    assert (undone.reverses_id, undone.reference) == (transfer.id, transfer.reference)
    assert await balance_of(tenant, source) == 0
    assert await balance_of(tenant, target) == 0


async def test_rivals_reverse_once(tenant: Tenant) -> None:
    transfer, source, target = await sold(tenant)
    barrier = select(LedgerAccount).where(LedgerAccount.id == source).with_for_update()

    results = await race(tenant, barrier, [lambda: reversed_in(tenant, transfer.id)] * 6)

    assert len({result.id for result in results if isinstance(result, Posted)}) == 1
    assert await balance_of(tenant, target) == 0


async def test_another_reason_is_told_that_it_was_done(tenant: Tenant) -> None:
    transfer, _, target = await sold(tenant)
    await reversed_in(tenant, transfer.id)

    with pytest.raises(AlreadyReversed):
        await reversed_in(tenant, transfer.id, "again")

    assert await balance_of(tenant, target) == 0


async def test_a_reversal_can_not_be_reversed(tenant: Tenant) -> None:
    transfer, _, _ = await sold(tenant)
    undone = await reversed_in(tenant, transfer.id)

    with pytest.raises(NotReversible):
        await reversed_in(tenant, undone.id)


async def test_spent_money_is_reversed_only_where_the_provider_took_it(tenant: Tenant) -> None:
    transfer, _, target = await sold(tenant)
    out = await make_account(tenant, "out")
    async with tenant.transaction() as session:
        await post(session, sale(target, out, 1_000, "payout:1"))

    with pytest.raises(InsufficientFunds):
        await reversed_in(tenant, transfer.id)
    await reversed_in(tenant, transfer.id, "provider reversal", Overdraft.ALLOWED)

    assert await balance_of(tenant, target) == -1_000


async def test_an_unknown_transfer_is_refused(tenant: Tenant) -> None:
    with pytest.raises(TransferUnknown):
        await reversed_in(tenant, new_id())
