"""Opens sealed secrets, for jobs that speak to a provider; each opening is audited."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from tenancy.audit import Actor, record_audit
from tenancy.keyring import Keyring, Place
from tenancy.sessions import TenantSession
from tenant_db.credentials.models import ProviderAccount, SealedSecret
from tenant_db.credentials.sealing import COLUMN, TABLE


@dataclass(frozen=True, slots=True)
class OpenedSecrets:
    """The secrets of one provider account, in clear; never printed."""

    version: int
    """The account's `secrets_version`: what is proven of these secrets is recorded with it."""
    by_name: Mapping[str, str] = field(repr=False)


async def open_secrets(
    session: TenantSession, keyring: Keyring, account_id: UUID, actor: Actor, purpose: str
) -> OpenedSecrets:
    """Decrypt the secrets of one provider account. The audit row is the caller's to commit.

    `purpose` is the operation they are needed for, such as `submit_payment`.

    Raises:
        ValueError: no such account; jobs name accounts that exist.
    """
    found = await session.execute(
        select(ProviderAccount.secrets_version, SealedSecret.id, SealedSecret.name, SealedSecret.sealed)
        .join(SealedSecret, SealedSecret.provider_account_id == ProviderAccount.id)
        .where(ProviderAccount.id == account_id)
    )
    rows = found.all()
    if not rows:
        raise ValueError(f"no secrets of a provider account {account_id} in this tenant")
    opened = {}
    for row in rows:
        secret = await keyring.open(session.tenant_id, Place(TABLE, COLUMN, row.id), row.sealed)
        opened[row.name] = secret.reveal()
    subject = outside(Kind.PROVIDER_ACCOUNT, account_id)
    record_audit(session, actor, "open_secrets", subject=subject, details={"purpose": purpose})
    return OpenedSecrets(rows[0].secrets_version, opened)
