"""Verifications go on part by part until all is seen or a row is broken."""

from uuid import UUID

import pytest
from sqlalchemy import select

from core.clock import utc_now
from core.ids import new_id
from jobs import proving
from jobs.proving import verify_ledger
from jobs.work import Done, Later, Work
from tenancy.context import Services
from tenancy.heads import Head, sign_head
from tenancy.sessions import Tenant
from tenancy.tokens import TokenIssuer
from tenant_db.alerts.models import Alert
from tenant_db.ledger.errors import VerificationRunning
from tenant_db.ledger.proof_models import LedgerVerification
from tenant_db.ledger.verdicts import Break, Broken
from tenant_db.ledger.verifications import begin_verification, verification
from tests.databases import PostgresServer
from tests.proving import Proven, new_ledger
from tests.tampering import tamper


@pytest.fixture
async def ledger(services: Services, tenant: Tenant, tokens: TokenIssuer) -> Proven:
    services.tokens = tokens
    made = await new_ledger(tenant)
    await made.sell(4)
    await made.seal_all()
    return made


async def begun(tenant: Tenant, kept_head: str = "") -> UUID:
    async with tenant.transaction() as session:
        row, is_new = await begin_verification(session, kept_head, utc_now())
    assert is_new
    return row.id


async def run(services: Services, tenant: Tenant, id: UUID) -> LedgerVerification:
    """The row after as many runs of the job as it asks for."""
    work = Work(services, tenant, new_id(), "verify_ledger", {"verification_id": str(id)}, 1)
    while isinstance(await verify_ledger(work), Later):
        pass
    assert isinstance(await verify_ledger(work), Done)
    async with tenant.reading() as session:
        row = await verification(session, id)
    assert row is not None
    return row


async def test_a_sound_ledger_is_seen_to_its_end(services: Services, ledger: Proven) -> None:
    row = await run(services, ledger.tenant, await begun(ledger.tenant))

    assert (row.state, row.broken) == ("sound", None)
    assert (row.progress["height"], row.progress["transfers"], row.progress["entries"]) == (2, 4, 8)
    assert row.finished_at is not None


async def test_parts_of_a_verification_make_the_whole(
    services: Services, ledger: Proven, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "PART_S", 0.0)

    row = await run(services, ledger.tenant, await begun(ledger.tenant))

    assert (row.state, row.progress["entries"]) == ("sound", 8)


async def test_the_broken_row_is_written_down(
    services: Services, ledger: Proven, postgres: PostgresServer
) -> None:
    await tamper(postgres, ledger, "UPDATE ledger_entries SET amount_minor = 1 WHERE $third")

    row = await run(services, ledger.tenant, await begun(ledger.tenant))

    assert row.state == "broken"
    assert row.broken is not None
    assert Broken.from_json(row.broken) == Broken(Break.ENTRY_CHANGED, account_id=ledger.shop, sequence=3)
    async with ledger.tenant.reading() as session:
        assert await session.scalar(select(Alert.kind)) == "proof_broken"


async def test_a_head_that_was_kept_long_ago_is_found_or_missed(
    services: Services, ledger: Proven, tokens: TokenIssuer, postgres: PostgresServer
) -> None:
    block = (await ledger.blocks())[0]
    kept = await sign_head(tokens, Head(ledger.tenant.id, 1, block.hash, 2, block.sealed_at))
    assert (await run(services, ledger.tenant, await begun(ledger.tenant, kept))).state == "sound"
    await tamper(postgres, ledger, "DELETE FROM ledger_blocks")
    await ledger.seal_all()

    row = await run(services, ledger.tenant, await begun(ledger.tenant, kept))

    assert row.broken is not None
    assert Broken.from_json(row.broken) == Broken(Break.HEAD_DIFFERS, height=1)


async def test_two_verifications_of_the_same_are_one(ledger: Proven) -> None:
    first = await begun(ledger.tenant)

    async with ledger.tenant.transaction() as session:
        row, is_new = await begin_verification(session, "", utc_now())

    assert (row.id, is_new) == (first, False)


async def test_a_second_verification_waits_for_the_end_of_the_first(
    services: Services, ledger: Proven
) -> None:
    first = await begun(ledger.tenant)
    with pytest.raises(VerificationRunning):
        await begun(ledger.tenant, "another head")

    await run(services, ledger.tenant, first)

    assert await begun(ledger.tenant, "another head") != first
