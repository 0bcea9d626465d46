"""Sealing puts each transfer into one block of one chain, however late it was committed."""

import asyncio
from hashlib import sha256

import pytest
from sqlalchemy import func, select

from core.clock import utc_now
from tenancy.sessions import Tenant
from tenant_db.ledger.blocks import has_unsealed
from tenant_db.ledger.digests import GENESIS, PART_BYTES
from tenant_db.ledger.posting import post, post_linked
from tenant_db.ledger.proof_models import Block
from tenant_db.ledger.rules import NormalSide
from tenant_db.ledger.sealing import TransactionIdsFellBack, seal
from tests.databases import PostgresServer
from tests.factories.ledger import make_account, sale
from tests.proving import new_ledger
from tests.racing import race
from tests.tampering import tampering


async def contents(tenant: Tenant) -> list[bytes]:
    """The ids in each block, in order."""
    async with tenant.reading() as session:
        found = (await session.scalars(select(Block.contents).order_by(Block.height))).all()
    return [b"".join(each[at : at + 16] for at in range(0, len(each), PART_BYTES)) for each in found]


async def test_blocks_hold_every_transfer_once_and_follow_each_other(tenant: Tenant) -> None:
    ledger = await new_ledger(tenant)
    await ledger.sell(5)

    blocks = await ledger.seal_all(transfers_max=2)

    assert [(block.height, block.transfer_count, block.total_count) for block in blocks] == [
        (1, 2, 2),
        (2, 2, 4),
        (3, 1, 5),
    ]
    assert b"".join(await contents(tenant)) == b"".join(sold.id.bytes for sold in ledger.sold)
    assert [block.previous_hash for block in blocks] == [GENESIS, blocks[0].hash, blocks[1].hash]
    assert [block.from_transaction_id for block in blocks] == [
        0,
        *(block.to_transaction_id for block in blocks[:2]),
    ]


async def test_a_hash_can_be_made_again_from_what_is_written_down(tenant: Tenant) -> None:
    ledger = await new_ledger(tenant)
    await ledger.sell()
    (block,) = await ledger.seal_all()

    (row,) = await tenant.rows(
        "SELECT concat_ws(E'\\t', id, created_at, source_id, destination_id, source_sequence,"
        " destination_sequence, amount_minor, currency, kind, reference, idempotency_key, effective_at,"
        " coalesce(reverses_id::text, '\\N'), coalesce(hold_id::text, '\\N'), transaction_id) AS line,"
        " details::text AS details, id FROM ledger_transfers"
    )

    digest = sha256(b"hazina transfer 1\n" + row["line"].encode() + sha256(row["details"].encode()).digest())
    held = row["id"].bytes + digest.digest()
    facts = (
        f"hazina block 1\n{tenant.id}\n1\n0\n{block.to_transaction_id}\n1\n1\n"
        f"{block.sealed_at:%Y-%m-%dT%H:%M:%S.%f}+00:00\n{'0' * 64}\n"
    )
    assert block.hash == sha256(facts.encode() + held).digest()


async def test_one_transactions_transfers_are_never_divided(tenant: Tenant) -> None:
    ledger = await new_ledger(tenant)
    await ledger.sell()
    async with tenant.transaction() as session:
        news = [sale(ledger.holding, ledger.shop, key=f"bulk:{number}") for number in range(5)]
        await post_linked(session, news)
    await ledger.sell()

    blocks = await ledger.seal_all(transfers_max=2)

    assert [block.transfer_count for block in blocks] == [1, 5, 1]
    assert await ledger.broken() is None


async def test_nothing_new_makes_no_block(tenant: Tenant) -> None:
    ledger = await new_ledger(tenant)
    assert await ledger.seal() is None
    await ledger.sell()
    async with tenant.reading() as session:
        assert await has_unsealed(session)

    assert len(await ledger.seal_all()) == 1

    assert await ledger.seal() is None
    async with tenant.reading() as session:
        assert not await has_unsealed(session)


async def test_a_late_commit_does_not_slip_in_behind_the_head(tenant: Tenant) -> None:
    ledger = await new_ledger(tenant)
    # Accounts of its own: the others' postings must not wait for its locks.
    holding = await make_account(tenant, "holding:two", side=NormalSide.DEBIT)
    shop = await make_account(tenant, "store:two:available:two")
    async with tenant.transaction() as slow:
        # It began to write first, and ends last.
        await post(slow, sale(holding, shop, key="late"))
        await ledger.sell(2)
        early = await ledger.seal_all()
        async with tenant.reading() as session:
            assert await has_unsealed(session)

    later = await ledger.seal_all()

    assert sum(block.transfer_count for block in early) == 0
    assert sum(block.transfer_count for block in later) == 3
    assert await ledger.broken() is None


async def test_rivals_make_one_chain(tenant: Tenant) -> None:
    ledger = await new_ledger(tenant)
    await ledger.sell(4)
    turn = select(func.pg_advisory_xact_lock(func.hashtextextended("ledger_blocks", 0)))

    made = await race(tenant, turn, [lambda: ledger.seal(transfers_max=1)] * 4)

    assert sorted(block.height for block in made if isinstance(block, Block)) == [1, 2, 3, 4]
    assert await ledger.broken() is None


async def test_a_sealer_that_dies_leaves_its_transfers_to_the_next(tenant: Tenant) -> None:
    ledger = await new_ledger(tenant)
    await ledger.sell(2)

    with pytest.raises(asyncio.CancelledError):
        async with tenant.transaction() as session:
            await seal(session, utc_now)
            raise asyncio.CancelledError

    assert [block.transfer_count for block in await ledger.seal_all()] == [2]
    assert await ledger.broken() is None


async def test_a_server_that_counts_from_lower_seals_nothing(
    tenant: Tenant, postgres: PostgresServer
) -> None:
    ledger = await new_ledger(tenant)
    await ledger.sell()
    await ledger.seal_all()
    async with tampering(postgres, tenant) as database:
        await database.execute("UPDATE ledger_blocks SET to_transaction_id = 1000000000000")

    with pytest.raises(TransactionIdsFellBack):
        await ledger.seal()
