"""Adds a channel with its own Daraja keys, or replaces the keys."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.currency import Currency
from core.errors import NotFound
from core.ids import new_id
from tenancy.keyring import Keyring
from tenancy.sessions import TenantSession
from tenant_db.channels import rules
from tenant_db.channels.errors import ShortCodeTaken
from tenant_db.channels.locking import lock_channel, tell
from tenant_db.channels.machine import ChannelKind, ChannelStatus, Environment
from tenant_db.channels.models import Channel
from tenant_db.credentials.adding import NewProviderAccount, add_provider_account
from tenant_db.credentials.models import ProviderAccount
from tenant_db.credentials.names import SecretName
from tenant_db.credentials.sealing import seal_secrets
from tenant_db.stores.models import Store
from tenant_db.stores.rules import require_name

PROVIDER: Final = "mpesa"


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A short code the tenant wants to collect with.

    Raises:
        InvalidInput: a name, number or key that M-Pesa can't have given.
    """

    store_id: UUID
    name: str
    kind: ChannelKind
    environment: Environment
    short_code: str
    """What the payer pays to: the PayBill, or the till number."""
    head_office_code: str | None
    """For a till, the store number that goes into BusinessShortCode."""
    keys: rules.MpesaKeys

    def __post_init__(self) -> None:
        require_name(self.name)
        rules.require_numbers(self.kind, self.short_code, self.head_office_code)


@dataclass(frozen=True, slots=True)
class HookTokens:
    """The secret parts of a channel's callback URLs. Whoever registers them keeps their hashes."""

    stk: str
    confirmation: str
    validation: str


async def add_channel(
    session: TenantSession, keyring: Keyring, new: NewChannel, hooks: HookTokens
) -> Channel:
    """Write the channel as a draft, with a provider account of its own and its secrets sealed.

    Raises:
        NotFound: no such store.
        ShortCodeTaken: this tenant has a channel for it in this environment.
    """
    if not await session.scalar(select(exists().where(Store.id == new.store_id))):
        raise NotFound("store")
    account = await add_provider_account(
        session, NewProviderAccount(PROVIDER, new.name, new.environment.value, [Currency.KES])
    )
    channel = await _write(session, new, account)
    secrets: dict[str, str] = {
        **_keys(new.keys),
        SecretName.HOOK_TOKEN: hooks.stk,
        SecretName.CONFIRMATION_TOKEN: hooks.confirmation,
        SecretName.VALIDATION_TOKEN: hooks.validation,
    }
    await seal_secrets(session, keyring, account.id, secrets)
    return channel


async def replace_credentials(
    session: TenantSession, keyring: Keyring, channel_id: UUID, keys: rules.MpesaKeys
) -> Channel:
    """Put new keys in place of the old; the channel is a draft again until they are proven.

    Payments that wait for an answer are asked about with the new keys.

    Raises:
        NotFound: no such channel.
    """
    channel = await lock_channel(session, channel_id)
    await session.execute(
        update(ProviderAccount)
        .where(ProviderAccount.id == channel.provider_account_id)
        .values(secrets_version=ProviderAccount.secrets_version + 1)
    )
    await seal_secrets(session, keyring, channel.provider_account_id, _keys(keys))
    if channel.status != ChannelStatus.DRAFT:
        channel.advance(ChannelStatus.DRAFT)
    channel.proof = channel.verified_at = channel.refusal = None
    tell(session, channel)
    return channel


async def _write(session: TenantSession, new: NewChannel, account: ProviderAccount) -> Channel:
    """Insert, leaving it to the unique key to decide between two that add the same short code."""
    id_ = await session.scalar(
        insert(Channel)
        .values(
            id=new_id(),
            created_at=utc_now(),
            provider_account_id=account.id,
            store_id=new.store_id,
            name=new.name,
            kind=new.kind.value,
            environment=new.environment.value,
            short_code=new.short_code,
            head_office_code=new.head_office_code,
            currency=Currency.KES,
            status=ChannelStatus.DRAFT.value,
        )
        .on_conflict_do_nothing(index_elements=["environment", "short_code"])
        .returning(Channel.id)
    )
    if id_ is None:
        raise ShortCodeTaken(new.short_code)
    return await session.get_one(Channel, id_)


def _keys(keys: rules.MpesaKeys) -> dict[str, str]:
    return {
        SecretName.CONSUMER_KEY: keys.consumer_key,
        SecretName.CONSUMER_SECRET: keys.consumer_secret,
        SecretName.PASSKEY: keys.passkey,
    }
