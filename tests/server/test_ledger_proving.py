"""`hazina ledger verify` says what it saw, and fails where a row is broken."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from core.clock import utc_now
from core.ids import Kind, outside
from jobs.sealing import Sealer
from owner_db.proofs.heads import newest_head
from server.compose import Process, process
from server.embedded_roles import OWNER_ROLE
from server.settings import Settings
from tenancy.heads import Head, sign_head
from tenancy.sessions import OwnerDatabase, Tenant
from tests.databases import PostgresServer
from tests.factories.tenants import register
from tests.proving import Proven, new_ledger
from tests.tampering import tamper

Command = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def settings(owner: OwnerDatabase, postgres: PostgresServer, redis_url: str, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        database_url=postgres.url(OWNER_ROLE, owner.engine.url.database or ""),
        tenant_url=postgres.tenant_url(),
        redis_url=redis_url,
    )


@pytest.fixture
async def here(owner: OwnerDatabase, tenant: Tenant, settings: Settings) -> AsyncIterator[Process]:
    await register(owner, tenant.ref)
    async with process(settings, connections=1, name="test") as here:
        yield here


@pytest.fixture
def verify(settings: Settings, tenant: Tenant) -> Command:
    async def run(*options: str, name: str = tenant.ref.slug) -> tuple[int, str]:
        """The command's status and what it said."""
        given = {
            "HAZINA_DATA_DIR": str(settings.data_dir),
            "HAZINA_DATABASE_URL": settings.database_url or "",
            "HAZINA_TENANT_URL": settings.tenant_url or "",
            "HAZINA_REDIS_URL": settings.redis_url or "",
        }
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server.cli", "ledger", "verify", name, *options),
            env=given,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await command.communicate()
        assert command.returncode is not None
        return command.returncode, said.decode()

    return run


async def proven(tenant: Tenant) -> Proven:
    ledger = await new_ledger(tenant)
    await ledger.sell(3)
    await ledger.seal_all()
    return ledger


async def test_sound_books_are_said_to_be_sound(here: Process, tenant: Tenant, verify: Command) -> None:
    await proven(tenant)

    status, said = await verify()

    assert (status, said.splitlines()[-1]) == (0, "sound: 3 transfers in 2 blocks, 6 entries"), said
    assert "3 transfers, 6 entries seen" in said
    assert here


async def test_the_broken_row_is_named_and_the_command_fails(
    here: Process, tenant: Tenant, verify: Command, postgres: PostgresServer
) -> None:
    ledger = await proven(tenant)
    await tamper(postgres, ledger, "UPDATE ledger_transfers SET amount_minor = 1 WHERE id = $sealed")

    status, said = await verify()

    transfer = outside(Kind.TRANSFER, ledger.sold[2].id)
    assert (status, said.splitlines()[-1]) == (
        1,
        f"BROKEN: Transfer {transfer} was changed after it was sealed.",
    )
    assert here


async def test_a_head_that_was_kept_shows_a_history_rewritten_with_its_copy(
    here: Process, tenant: Tenant, verify: Command, tmp_path: Path
) -> None:
    ledger = await proven(tenant)
    block = (await ledger.blocks())[0]
    kept = tmp_path / "head.jws"
    true = Head(tenant.id, 1, block.hash, 2, block.sealed_at)
    kept.write_text(await sign_head(here.services.tokens, true))
    assert (await verify("--head", str(kept)))[0] == 0

    other = Head(tenant.id, 1, b"\0" * 32, 2, block.sealed_at)
    kept.write_text(await sign_head(here.services.tokens, other))

    status, said = await verify("--head", str(kept))
    assert status == 1
    assert "Block 1 is not the one whose signed head was kept" in said


async def test_the_platforms_copies_are_compared_and_their_signatures_too(
    here: Process, tenant: Tenant, verify: Command, postgres: PostgresServer, owner: OwnerDatabase
) -> None:
    ledger = await proven(tenant)
    await here.redis.zadd("global:sealing", {str(tenant.id): int(utc_now().timestamp())})
    await Sealer(here.services, here.services.tenants, here.redis).seal_due()
    async with here.services.owner.reading() as session:
        kept = await newest_head(session, tenant.id)
    assert kept is not None
    assert kept.height == 2
    assert (await verify())[0] == 0
    connection = await postgres.connect_to_tamper(owner.engine.url.database or "")
    await connection.execute("UPDATE ledger_heads SET hash = sha256('x')")
    await connection.close()

    status, said = await verify()

    assert status == 1
    assert "The platform's copy of the head at block 2 is not what was signed." in said
    assert ledger


async def test_a_file_that_is_no_head_and_a_name_of_nobody_are_refused(
    here: Process, tenant: Tenant, verify: Command, tmp_path: Path
) -> None:
    await proven(tenant)
    kept = tmp_path / "head.jws"
    kept.write_text("no head")

    refusals = [await verify("--head", str(kept)), await verify(name="nobody")]

    assert [status for status, _ in refusals] == [1, 1]
    assert "no signed head of your ledger" in refusals[0][1]
    assert here
