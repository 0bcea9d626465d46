"""Verification names the first row that somebody with all power over the database has touched."""

import json

import pytest
from sqlalchemy import text

from core.currency import Currency
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.ledger.commands import NewTransfer
from tenant_db.ledger.digests import Header, block_hash
from tenant_db.ledger.posting import post
from tenant_db.ledger.rules import TransferKind
from tenant_db.ledger.verdicts import Break, Broken, Phase, Progress
from tenant_db.ledger.verifying import verify
from tests.databases import PostgresServer
from tests.factories.ledger import make_account
from tests.proving import Proven, new_ledger
from tests.tampering import COPIED, TAMPERING, tamper


async def proven(tenant: Tenant) -> Proven:
    """Three blocks of two transfers, and a seventh transfer that is not sealed yet."""
    ledger = await new_ledger(tenant)
    ledger.idle = await make_account(tenant, "suspense")
    await ledger.sell(6)
    await ledger.seal_all()
    await ledger.sell()
    return ledger


async def test_books_that_nobody_touched_are_sound(tenant: Tenant) -> None:
    ledger = await proven(tenant)

    progress = Progress()
    async with tenant.transaction() as session:
        await verify(session, progress, {})

    assert (progress.phase, progress.broken) == (Phase.DONE, None)
    assert (progress.height, progress.transfers, progress.entries) == (3, 7, 14)
    assert progress.hash == (await ledger.blocks())[-1].hash


async def test_an_empty_ledger_is_sound(tenant: Tenant) -> None:
    assert await Proven(tenant, tenant.id, tenant.id).broken() is None


@pytest.mark.parametrize("what", TAMPERING)
async def test_the_row_that_was_touched_is_named(tenant: Tenant, postgres: PostgresServer, what: str) -> None:
    ledger = await proven(tenant)
    statements, named = TAMPERING[what]

    await tamper(postgres, ledger, statements)

    broken = await ledger.broken()
    assert broken == named(ledger), broken
    assert broken.message
    assert Broken.from_json(json.loads(json.dumps(broken.to_json()))) == broken


async def test_a_transfer_slipped_in_behind_the_head_is_named(
    tenant: Tenant, postgres: PostgresServer
) -> None:
    ledger = await proven(tenant)
    await tamper(postgres, ledger, COPIED + "$sealed")
    (row,) = await tenant.rows("SELECT id FROM ledger_transfers WHERE idempotency_key = 'forged'")

    assert await ledger.broken() == Broken(Break.TRANSFER_INSERTED, transfer_id=row["id"])


async def test_a_history_that_was_sealed_anew_contradicts_the_head_that_was_kept(
    tenant: Tenant, postgres: PostgresServer
) -> None:
    ledger = await proven(tenant)
    kept = {each.height: each.hash for each in await ledger.blocks()}
    await tamper(
        postgres,
        ledger,
        "UPDATE ledger_transfers SET reference = 'pay_2' WHERE id = $sealed; DELETE FROM ledger_blocks",
    )
    await ledger.seal_all()

    assert await ledger.broken() is None, "the chain itself is whole"
    assert await ledger.broken({3: kept[3]}) == Broken(Break.HEAD_DIFFERS, height=3)
    assert await ledger.broken(kept) == Broken(Break.HEAD_DIFFERS, height=1)


async def test_a_chain_that_lost_its_end_contradicts_the_head_that_was_kept(
    tenant: Tenant, postgres: PostgresServer
) -> None:
    ledger = await proven(tenant)
    kept = {each.height: each.hash for each in await ledger.blocks()}
    await tamper(postgres, ledger, "DELETE FROM ledger_blocks WHERE height = 3")

    assert await ledger.broken(kept) == Broken(Break.BLOCK_MISSING, height=3)


async def test_a_block_of_another_business_does_not_fit(tenant: Tenant, second_tenant: Tenant) -> None:
    ledger = await proven(tenant)
    first = (await ledger.blocks())[0]
    async with tenant.reading() as session:
        contents = await session.scalar(text("SELECT contents FROM ledger_blocks WHERE height = 1"))

    header: Header = first.header(second_tenant.id)

    assert block_hash(first.header(tenant.id), contents) == first.hash
    assert block_hash(header, contents) != first.hash


async def test_a_run_that_was_cut_off_goes_on_where_it_was(tenant: Tenant, postgres: PostgresServer) -> None:
    ledger = await proven(tenant)
    await tamper(
        postgres, ledger, "UPDATE ledger_accounts SET posted_credits_minor = 1 WHERE code = 'suspense'"
    )
    progress, parts = Progress(), 0

    while not progress.is_over:
        # As a job keeps it between two runs.
        progress = Progress.from_json(json.loads(json.dumps(progress.to_json())))
        async with tenant.transaction() as session:
            await verify(session, progress, {}, is_time_up=lambda: True)
        parts += 1

    assert parts > 4
    assert progress.broken == Broken(Break.COUNTER_DIFFERS, account_id=ledger.idle)


async def test_postings_between_two_parts_of_a_run_break_nothing(tenant: Tenant) -> None:
    ledger = await proven(tenant)
    progress, parts = Progress(), 0

    while not progress.is_over:
        async with tenant.transaction() as session:
            await verify(session, progress, {}, is_time_up=lambda: True)
        parts += 1
        if parts < 8:
            await ledger.sell()
        if parts == 2:
            await ledger.seal_all()

    assert progress.broken is None


async def test_amounts_longer_than_a_machine_word_are_followed(tenant: Tenant) -> None:
    ledger = await new_ledger(tenant)
    async with tenant.transaction() as session:
        for number in range(2):
            amount = Money(9 * 10**36, Currency.KES)
            await post(
                session,
                NewTransfer(
                    ledger.holding, ledger.shop, amount, TransferKind.ADJUSTMENT, "large", f"large:{number}"
                ),
            )
    await ledger.seal_all()

    assert await ledger.broken() is None
