"""Closing: a ledger account takes nothing any more. It is never deleted."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from tenancy.sessions import TenantSession
from tenant_db.ledger.errors import AccountNotEmpty, AccountUnknown, SystemAccount
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.rules import CUSTOM_PREFIX, STORE_PREFIX


async def close_account(session: TenantSession, id: UUID, now: datetime) -> LedgerAccount:
    """Close an account of a store, or one that people opened. The same again changes nothing.

    The caller owns the transaction; the account stays locked until it ends.

    Raises:
        AccountUnknown: there is none with this id.
        SystemAccount: holdings, fees and suspense stay open.
        AccountNotEmpty: it has a balance, or pending holds.
    """
    found = await session.execute(
        select(LedgerAccount)
        .where(LedgerAccount.id == id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    account = found.scalar_one_or_none()
    if account is None:
        raise AccountUnknown
    if not account.code.startswith((CUSTOM_PREFIX, STORE_PREFIX)):
        raise SystemAccount(account.code)
    if account.closed_at is None:
        _guard_empty(account)
        account.closed_at = now
    return account


def _guard_empty(account: LedgerAccount) -> None:
    debits_less_credits = account.posted_debits_minor - account.posted_credits_minor
    balance = debits_less_credits if account.normal_side == "debit" else -debits_less_credits
    pending = account.pending_debits_minor + account.pending_credits_minor
    if balance or pending:
        raise AccountNotEmpty(account.code, balance, pending, account.currency)
