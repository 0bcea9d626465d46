"""One process of a fleet's upgrade: one tenant at a time, because Alembic knows no more than one.

Started by `server.fleet`. The first line of standard input is the work in JSON, each further line
the wave to go up to; the end of the input is the end of the process, after the tenant it is at.
Each line of output is an event.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Self
from uuid import UUID

import asyncpg
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import owner_db.models  # noqa: F401 - completes the metadata
from core.errors import DomainError
from owner_db.tenants import migrating
from owner_db.tenants.servers import Servers
from owner_db.tenants.templates import Template, find_template
from owner_db.tenants.upgrading import CatalogueDiffers, Upgrade, upgrade_tenant
from tenancy.sessions import AfterCommit, OwnerDatabase

NOT_UPGRADED = (
    CatalogueDiffers,
    CommandError,
    DomainError,
    OSError,
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a process is to work at."""

    owner_url: str
    passwords: Mapping[str, str]
    run_id: str
    target: str

    def line(self) -> bytes:
        return json.dumps({**asdict(self), "passwords": dict(self.passwords)}).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        return cls(**json.loads(line))


class _Quiet:
    """Nobody waits for what this process commits."""

    async def before_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None: ...

    async def after_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None: ...


class _Worker:
    def __init__(self, assignment: Assignment, orders: asyncio.StreamReader) -> None:
        self._target = assignment.target
        self._run_id = UUID(assignment.run_id)
        self._servers = Servers(assignment.passwords)
        self._owner = OwnerDatabase(_owner_engine(assignment.owner_url), _Quiet())
        self._orders = orders
        self._templates: dict[str, Template] = {}

    async def work(self) -> None:
        try:
            while line := await self._orders.readline():
                await self._wave(int(line))
                say(event="idle")
        finally:
            await self._owner.engine.dispose()

    async def _wave(self, wave: int) -> None:
        # An ended input is the end of the runner: the tenant at hand was finished, no other is begun.
        while not self._orders.at_eof():
            async with self._owner.transaction() as session:
                claimed = await migrating.claim(session, self._run_id, wave)
            if claimed is None:
                return
            await self._one(claimed)

    async def _one(self, claimed: migrating.Claimed) -> None:
        say(event="begun", item=str(claimed.item_id), attempts=claimed.attempts)
        begun = perf_counter()
        try:
            template = await self._template(claimed.server_url)
            upgrade = Upgrade(claimed.database, claimed.server_url, template)
            catalogue_hash = await upgrade_tenant(self._servers, upgrade)
        except NOT_UPGRADED as error:
            async with self._owner.transaction() as session:
                await migrating.fail(session, claimed, error=_told(error), duration_ms=_ms_since(begun))
            say(event="failed", tenant=str(claimed.tenant_id), code=claimed.code, error=_told(error))
            return
        async with self._owner.transaction() as session:
            await migrating.finish(
                session,
                claimed,
                revision=template.revision,
                catalogue_hash=catalogue_hash,
                duration_ms=_ms_since(begun),
            )
        say(event="done", tenant=str(claimed.tenant_id), code=claimed.code)

    async def _template(self, server_url: str) -> Template:
        if server_url not in self._templates:
            async with self._servers.connect(server_url) as admin:
                found = await find_template(admin, self._target)
            if found is None:
                raise CatalogueDiffers(f"its server has no template of {self._target} to compare with")
            self._templates[server_url] = found
        return self._templates[server_url]


def _owner_engine(url: str) -> AsyncEngine:
    # A claim or result that a power cut takes back is only made again: the upgrade itself is durable.
    settings = {"application_name": "hazina-migrate", "synchronous_commit": "off"}
    return create_async_engine(url, pool_size=1, connect_args={"server_settings": settings})


def say(**event: object) -> None:
    """One event, one line, at once."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _told(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error
    return f"{type(original).__name__}: {original}"


def _ms_since(begun: float) -> int:
    return round((perf_counter() - begun) * 1000)


async def main() -> None:
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    await _Worker(Assignment.read(await orders.readline()), orders).work()


if __name__ == "__main__":
    asyncio.run(main())
