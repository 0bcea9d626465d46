"""Switches provider accounts on and off, says which is the default, and in which order they are tried."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import update

from core.currency import Currency
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import Environment
from tenant_db.credentials import rules
from tenant_db.credentials.configuring import is_taken
from tenant_db.credentials.errors import AccountDisabled, AccountNameTaken, AccountNotProven
from tenant_db.credentials.locking import channel_of, lock_account, lock_accounts, lock_own_account
from tenant_db.credentials.models import ProviderAccount


async def enable_account(session: TenantSession, account_id: UUID) -> ProviderAccount:
    """Let the account collect; one that may already stays as it is.

    Raises:
        NotFound: no such account.
        AccountNotProven: its present keys are not proven. A channel's are proven with the channel.
    """
    account = await lock_account(session, account_id)
    if account.is_enabled:
        return account
    if not account.is_proven and await channel_of(session, account_id) is None:
        raise AccountNotProven
    account.is_enabled = True
    account.version += 1
    return account


async def disable_account(session: TenantSession, account_id: UUID) -> ProviderAccount:
    """Take no new payments on the account, which is then no default either; open ones are settled.

    Raises:
        NotFound: no such account.
    """
    account = await lock_account(session, account_id)
    if account.is_enabled or account.is_default:
        account.is_enabled = account.is_default = False
        account.version += 1
    return account


async def set_default(session: TenantSession, account_id: UUID) -> ProviderAccount:
    """Have the account tried first, in place of the one that was.

    Raises:
        NotFound: no such account.
        AccountDisabled: it is switched off.
    """
    # First: two that choose at once would both find no default, and one would break the unique key.
    await lock_accounts(session)
    account = await lock_account(session, account_id)
    if not account.is_enabled:
        raise AccountDisabled
    if account.is_default:
        return account
    await session.execute(
        update(ProviderAccount)
        .where(ProviderAccount.is_default)
        .values(is_default=False, version=ProviderAccount.version + 1)
        .execution_options(synchronize_session=False)
    )
    account.is_default = True
    account.version += 1
    await session.flush()
    return account


async def change_account(
    session: TenantSession,
    account_id: UUID,
    *,
    name: str | None,
    priority: int | None,
    currencies: Sequence[Currency] | None,
    offered: frozenset[Currency],
) -> ProviderAccount:
    """Write what is not None. `offered` is what the provider takes.

    Raises:
        NotFound: no such account.
        AccountOfChannel: it belongs to an M-Pesa channel, and more than its priority was to change.
        AccountNameTaken: the provider has an account of this name in this environment.
        InvalidInput: name, priority or currencies that can't be.
    """
    is_more = name is not None or currencies is not None
    lock = lock_own_account if is_more else lock_account
    if name is not None:
        await lock_accounts(session)
    account = await lock(session, account_id)
    if name is not None and name.strip() != account.name:
        account.name = await _free_name(session, account, rules.require_name(name))
    if priority is not None:
        account.priority = rules.require_priority(priority)
    if currencies is not None:
        account.currencies = rules.require_currencies(currencies, offered)
    account.version += 1
    await session.flush()
    return account


async def _free_name(session: TenantSession, account: ProviderAccount, name: str) -> str:
    if await is_taken(session, account.provider, Environment(account.environment), name):
        raise AccountNameTaken(name)
    return name
