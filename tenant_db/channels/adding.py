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
from tenant_db.channels.machine import PROOF_KEYS, ChannelKind, ChannelStatus, Environment
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
    keys: rules.MpesaKeys | None
    """None leaves a draft, which can't be verified."""
    operator: rules.OperatorKeys | None = None
    activates_itself: bool = False

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
    """Write the channel with a provider account of its own and its secrets sealed; nothing is proven.

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
        **_keys(new.keys, new.operator),
        SecretName.HOOK_TOKEN: hooks.stk,
        SecretName.CONFIRMATION_TOKEN: hooks.confirmation,
        SecretName.VALIDATION_TOKEN: hooks.validation,
    }
    await seal_secrets(session, keyring, account.id, secrets)
    return channel


async def replace_credentials(
    session: TenantSession,
    keyring: Keyring,
    channel_id: UUID,
    keys: rules.MpesaKeys,
    operator: rules.OperatorKeys | None = None,
) -> Channel:
    """Put new keys in place of the old; the channel does not collect until they are proven.

    Payments that wait for an answer are asked about with the new keys. The operator stays as it is
    where none is given.

    Raises:
        NotFound: no such channel.
    """
    channel = await lock_channel(session, channel_id)
    await _count_version(session, channel)
    await seal_secrets(session, keyring, channel.provider_account_id, _keys(keys, operator))
    if operator is not None:
        channel.initiator_name = operator.name
    if channel.status != ChannelStatus.CONFIGURED:
        channel.advance(ChannelStatus.CONFIGURED)
    channel.proof = channel.verified_at = channel.refusal = None
    tell(session, channel)
    return channel


async def set_operator(
    session: TenantSession, keyring: Keyring, channel_id: UUID, operator: rules.OperatorKeys
) -> Channel:
    """Put an API operator in place of the one before; what collects goes on collecting.

    Only the keys count as proven from then on, since the proof by balance was the old operator's.

    Raises:
        NotFound: no such channel.
    """
    channel = await lock_channel(session, channel_id)
    await _count_version(session, channel)
    await seal_secrets(session, keyring, channel.provider_account_id, _keys(None, operator))
    channel.initiator_name = operator.name
    if channel.proof is not None:
        channel.proof = PROOF_KEYS
    tell(session, channel)
    return channel


async def _count_version(session: TenantSession, channel: Channel) -> None:
    await session.execute(
        update(ProviderAccount)
        .where(ProviderAccount.id == channel.provider_account_id)
        .values(secrets_version=ProviderAccount.secrets_version + 1)
    )


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
            status=(ChannelStatus.DRAFT if new.keys is None else ChannelStatus.CONFIGURED).value,
            initiator_name=None if new.operator is None else new.operator.name,
            activates_itself=new.activates_itself,
        )
        .on_conflict_do_nothing(index_elements=["environment", "short_code"])
        .returning(Channel.id)
    )
    if id_ is None:
        raise ShortCodeTaken(new.short_code)
    return await session.get_one(Channel, id_)


def _keys(keys: rules.MpesaKeys | None, operator: rules.OperatorKeys | None) -> dict[str, str]:
    found: dict[str, str] = {}
    if keys is not None:
        found[SecretName.CONSUMER_KEY] = keys.consumer_key
        found[SecretName.CONSUMER_SECRET] = keys.consumer_secret
        found[SecretName.PASSKEY] = keys.passkey
    if operator is not None:
        found[SecretName.INITIATOR_PASSWORD] = operator.password
    return found
