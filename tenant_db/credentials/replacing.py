"""Replaces keys without a pause: the new ones are used at once, the old ones still prove webhooks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update

from tenancy.keyring import Keyring
from tenancy.sessions import TenantSession
from tenant_db.credentials import rules
from tenant_db.credentials.locking import lock_own_account
from tenant_db.credentials.models import ProviderAccount, SealedSecret
from tenant_db.credentials.names import PREVIOUS
from tenant_db.credentials.sealing import seal_secrets


async def replace_keys(
    session: TenantSession,
    keyring: Keyring,
    account_id: UUID,
    schema: Mapping[str, Any],
    values: Mapping[str, object],
    *,
    now: datetime,
) -> ProviderAccount:
    """Put some values in place of those of the same names; what is left out stays.

    Replaced secrets keep their seal under `{name}.previous` until PREVIOUS_SECRETS_FOR has passed;
    those that were previous before are gone.

    Raises:
        NotFound: no such account.
        AccountOfChannel: it belongs to an M-Pesa channel.
        ConfigurationInvalid: values that the provider's schema does not take, or none.
    """
    account = await lock_own_account(session, account_id)
    names = await secret_names_of(session, account_id)
    present = names | frozenset(account.configuration)
    if not values:
        raise rules.violation_of("configuration", "Give at least one value to replace.")
    checked = rules.checked(schema, account.environment, values, present=present)
    account.configuration = {**account.configuration, **checked.plain}
    account.version += 1
    if checked.secrets:
        await _put_aside(session, account_id, names & frozenset(checked.secrets))
        account.previous_secrets_until = now + rules.PREVIOUS_SECRETS_FOR
        await seal_secrets(session, keyring, account_id, checked.secrets)
    # Grows for plain values too: what is opened and remembered is known by it.
    account.secrets_version += 1
    await session.flush()
    return account


async def secret_names_of(session: TenantSession, account_id: UUID) -> frozenset[str]:
    """The names of an account's sealed secrets, ours and previous ones too."""
    found = await session.scalars(
        select(SealedSecret.name).where(SealedSecret.provider_account_id == account_id)
    )
    return frozenset(found)


async def forget_previous(session: TenantSession, account_id: UUID, now: datetime) -> bool:
    """Remove replaced secrets once their time is over; says whether it was.

    An account that is gone has none.
    """
    account = await session.get(ProviderAccount, account_id, with_for_update=True)
    if account is None or account.previous_secrets_until is None:
        return True
    if now < account.previous_secrets_until:
        return False
    await session.execute(
        delete(SealedSecret).where(
            SealedSecret.provider_account_id == account_id, SealedSecret.name.endswith(PREVIOUS)
        )
    )
    account.previous_secrets_until = None
    return True


async def _put_aside(session: TenantSession, account_id: UUID, names: frozenset[str]) -> None:
    """Rename the rows: a seal is bound to its row's id, not to its name, so nothing is opened."""
    of_account = SealedSecret.provider_account_id == account_id
    await session.execute(
        delete(SealedSecret).where(of_account, SealedSecret.name.in_([f"{name}{PREVIOUS}" for name in names]))
    )
    await session.execute(
        update(SealedSecret)
        .where(of_account, SealedSecret.name.in_(names))
        .values(name=SealedSecret.name + PREVIOUS)
        .execution_options(synchronize_session=False)
    )
