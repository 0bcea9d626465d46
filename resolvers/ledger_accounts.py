"""The tenant's own ledger accounts: opened under a name, closed when nothing is in them."""

from dataclasses import dataclass
from uuid import UUID

from core.currency import Currency
from core.ids import Kind, outside
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.ledger import closing, opening
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.rules import NormalSide


@dataclass(frozen=True, slots=True)
class NewLedgerAccount:
    """The account that people ask for."""

    name: str
    currency: Currency
    normal_side: NormalSide
    store_id: UUID | None
    floor_minor: int | None
    ceiling_minor: int | None


async def open_ledger_account(context: TenantContext, new: NewLedgerAccount) -> LedgerAccount:
    """Open the account `custom:{name}`, or give it if it is open already. Needs ledger:write.

    Raises:
        InvalidInput, NotFound, AccountCodeTaken: as `opening.open_named`.
    """
    context.require(Scope.LEDGER_WRITE)
    async with context.tenant.transaction() as session:
        account = await opening.open_named(
            session,
            new.name,
            new.currency,
            new.normal_side,
            store_id=new.store_id,
            floor_minor=new.floor_minor,
            ceiling_minor=new.ceiling_minor,
        )
        subject = outside(Kind.LEDGER_ACCOUNT, account.id)
        record_audit(
            session, acting(context), "open_ledger_account", subject=subject, details={"code": account.code}
        )
    return account


async def close_ledger_account(context: TenantContext, id: UUID) -> LedgerAccount:
    """Close an account for good. Needs ledger:write.

    Raises:
        AccountUnknown, SystemAccount, AccountNotEmpty: as `closing.close_account`.
    """
    context.require(Scope.LEDGER_WRITE)
    async with context.tenant.transaction() as session:
        account = await closing.close_account(session, id, context.services.clock())
        subject = outside(Kind.LEDGER_ACCOUNT, id)
        record_audit(
            session, acting(context), "close_ledger_account", subject=subject, details={"code": account.code}
        )
    return account
