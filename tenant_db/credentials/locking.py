"""A provider account's row is locked before it changes; the set of accounts has a lock of its own."""

from uuid import UUID

from sqlalchemy import func, select

from core.errors import NotFound
from tenancy.sessions import TenantSession
from tenant_db.channels.models import Channel
from tenant_db.credentials.errors import AccountOfChannel
from tenant_db.credentials.models import ProviderAccount


async def lock_accounts(session: TenantSession) -> None:
    """Let one transaction at a time add accounts, or choose which is the default."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("provider_accounts", 0))))


async def lock_account(session: TenantSession, account_id: UUID) -> ProviderAccount:
    """Lock the account until the transaction ends, and read it anew.

    Raises:
        NotFound: there is none with this id.
    """
    found = await session.scalar(
        select(ProviderAccount)
        .where(ProviderAccount.id == account_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("provider account")
    return found


async def lock_own_account(session: TenantSession, account_id: UUID) -> ProviderAccount:
    """As `lock_account`, of one whose keys are managed here.

    Raises:
        NotFound: there is none with this id.
        AccountOfChannel: it belongs to an M-Pesa channel.
    """
    found = await lock_account(session, account_id)
    if await channel_of(session, account_id) is not None:
        raise AccountOfChannel
    return found


async def channel_of(session: TenantSession, account_id: UUID) -> UUID | None:
    """The M-Pesa channel whose keys the account holds; None for other accounts."""
    return await session.scalar(select(Channel.id).where(Channel.provider_account_id == account_id))
