"""The books of a business: accounts, transfers, balances."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from core.pages import Page, PageRequest
from resolvers.pages import page_of
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.ledger import balances
from tenant_db.ledger.balances import Balance
from tenant_db.ledger.models import LedgerAccount, Transfer
from tenant_db.stores.models import Store


async def ledger_accounts(context: TenantContext, request: PageRequest) -> Page[LedgerAccount]:
    """Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await page_of(session, select(LedgerAccount), LedgerAccount, request)


async def ledger_account(context: TenantContext, id: UUID) -> LedgerAccount | None:
    """Needs ledger:read. None: this business has no such ledger account."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await session.get(LedgerAccount, id)


async def transfers(context: TenantContext, request: PageRequest) -> Page[Transfer]:
    """Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await page_of(session, select(Transfer), Transfer, request)


async def transfer(context: TenantContext, id: UUID) -> Transfer | None:
    """Needs ledger:read. None: this business has no such transfer."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await session.get(Transfer, id)


async def store_balance(context: TenantContext, store_id: UUID) -> Sequence[Balance] | None:
    """What a store has, by currency. Needs ledger:read. None: this business has no such store."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        if await session.get(Store, store_id) is None:
            return None
        return await balances.store_balances(session, store_id)
