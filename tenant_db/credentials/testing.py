"""Writes down what a real call with an account's keys showed; a job makes the call."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from tenancy.sessions import TenantSession
from tenant_db.credentials.locking import lock_accounts
from tenant_db.credentials.models import ProviderAccount

ERROR_CHARACTERS_MAX: Final = 500


async def record_proven(
    session: TenantSession,
    account_id: UUID,
    secrets_version: int,
    *,
    summary: str,
    warnings: Sequence[str],
    now: datetime,
) -> bool:
    """Keep that the provider accepted the keys; false where they were replaced meanwhile, or are gone."""
    account = await _tested(session, account_id, secrets_version, now)
    if account is None:
        return False
    account.last_test_error = None
    account.last_test_summary = summary[:ERROR_CHARACTERS_MAX]
    account.test_warnings = [warning[:ERROR_CHARACTERS_MAX] for warning in warnings]
    return True


async def record_not_proven(
    session: TenantSession, account_id: UUID, secrets_version: int | None, why: str, now: datetime
) -> None:
    """Keep why the keys could not be proven; None for the version is whichever there is."""
    account = await _tested(session, account_id, secrets_version, now)
    if account is not None:
        account.last_test_error = why[:ERROR_CHARACTERS_MAX]
        account.last_test_summary = None
        account.test_warnings = []


async def enable_proven(session: TenantSession, account_id: UUID, *, as_default: bool) -> None:
    """Switch on what an import brought, now that it is proven; the default only where there is none."""
    await lock_accounts(session)
    account = await session.get(ProviderAccount, account_id, with_for_update=True)
    # A person who switched it meanwhile has decided.
    if account is None or not account.is_proven or account.is_enabled or account.version != 1:
        return
    account.is_enabled = True
    if as_default:
        taken = await session.scalar(
            select(func.count()).select_from(ProviderAccount).where(ProviderAccount.is_default)
        )
        account.is_default = not taken


async def _tested(
    session: TenantSession, account_id: UUID, secrets_version: int | None, now: datetime
) -> ProviderAccount | None:
    account = await session.get(ProviderAccount, account_id, with_for_update=True)
    if account is None or (secrets_version is not None and account.secrets_version != secrets_version):
        return None
    account.last_tested_at = now
    account.tested_version = account.secrets_version
    return account
