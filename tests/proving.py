"""Ledgers to prove: accounts, transfers in transactions of their own, blocks, and hands that tamper."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from core.clock import utc_now
from tenancy.sessions import Tenant
from tenant_db.ledger.commands import NewTransfer
from tenant_db.ledger.posting import post
from tenant_db.ledger.proof_models import Block
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import NormalSide
from tenant_db.ledger.sealing import seal
from tenant_db.ledger.verdicts import Broken, Progress
from tenant_db.ledger.verifying import Heads, verify
from tests.factories.ledger import make_account, sale


@dataclass(slots=True)
class Proven:
    """A holding, a shop, and the sales that were posted."""

    tenant: Tenant
    holding: UUID
    shop: UUID
    idle: UUID | None = None
    """Without entries."""
    sold: list[Posted] = field(default_factory=list)

    def new_sale(self, **also: object) -> NewTransfer:
        return sale(self.holding, self.shop, key=f"sale:{len(self.sold)}", **also)  # type: ignore[arg-type]  # a test names the one option it is about

    async def sell(self, count: int = 1) -> None:
        """Each in a transaction of its own."""
        for _ in range(count):
            async with self.tenant.transaction() as session:
                self.sold.append(await post(session, self.new_sale()))

    async def seal(self, transfers_max: int = 2) -> Block | None:
        async with self.tenant.transaction() as session:
            return await seal(session, utc_now, transfers_max=transfers_max)

    async def seal_all(self, transfers_max: int = 2) -> list[Block]:
        blocks = []
        while (block := await self.seal(transfers_max)) is not None:
            blocks.append(block)
        return blocks

    async def blocks(self) -> list[Block]:
        async with self.tenant.reading() as session:
            return list(await session.scalars(select(Block).order_by(Block.height)))

    async def broken(self, heads: Heads | None = None) -> Broken | None:
        """What a whole verification finds."""
        progress = Progress()
        async with self.tenant.transaction() as session:
            await verify(session, progress, heads or {})
        assert progress.is_over
        return progress.broken


async def new_ledger(tenant: Tenant) -> Proven:
    return Proven(
        tenant,
        await make_account(tenant, "holding:one", side=NormalSide.DEBIT),
        await make_account(tenant, "store:one:available:one"),
    )
