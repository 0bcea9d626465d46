"""Sets provider accounts up with their keys, has them tested and replaced."""

import secrets
from hashlib import sha256
from typing import Final
from uuid import UUID

from core.errors import NotFound
from owner_db.catalog.errors import ProviderNotOffered
from owner_db.catalog.providers import Provider, enabled_provider
from owner_db.tenants.hooks import register_endpoint
from resolvers.provider_accounts import audit, provider_of
from tenancy.audit import acting
from tenancy.context import TenantContext
from tenancy.outbox import announce
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.credentials import configuring, replacing
from tenant_db.credentials.configuring import NewConfiguration, ProviderFacts
from tenant_db.credentials.locking import lock_own_account
from tenant_db.credentials.models import ProviderAccount
from tenant_db.credentials.names import SecretName
from tenant_db.credentials.opening import open_secrets
from tenant_db.credentials.rules import PREVIOUS_SECRETS_FOR

TOKEN_BYTES: Final = 16
PLATFORM_QUEUE: Final = "platform"
WEBHOOK: Final = "webhook"
"""The purpose of a hook endpoint that provider accounts have."""


async def configure_provider(
    context: TenantContext, provider: str, new: NewConfiguration
) -> tuple[ProviderAccount, str]:
    """Set a provider up and have its keys tested; gives the account and its webhook URL.

    Needs channels:write.

    Raises:
        ProviderUnknown: the catalog has no such provider, or it is inactive.
        ProviderNotOffered: it takes no new accounts.
        DomainError: whatever `configuring.configure_provider` refuses.
    """
    context.require(Scope.CHANNELS_WRITE)
    facts = await offered(context, provider)
    async with context.tenant.transaction() as session:
        account, token = await configure_in(context, session, facts, new)
        announce_test(session, account.id)
        # Last, so that refusals leave nothing behind.
        await register(context, account, token)
    return account, webhook_url(context, token)


async def configure_in(
    context: TenantContext, session: TenantSession, facts: ProviderFacts, new: NewConfiguration
) -> tuple[ProviderAccount, str]:
    """Write one account within a transaction; the caller announces its test and registers the token."""
    token = secrets.token_hex(TOKEN_BYTES)
    keyring = context.services.keyring
    account = await configuring.configure_provider(session, keyring, facts, new, token)
    audit(context, session, "configure_provider", account)
    return account, token


async def test_provider_account(context: TenantContext, id: UUID) -> ProviderAccount:
    """Have a job ask the provider whether the keys are right. Needs channels:write.

    Raises:
        NotFound: no such account.
        AccountOfChannel: it belongs to an M-Pesa channel, which is verified instead.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        account = await lock_own_account(session, id)
        announce_test(session, id)
        audit(context, session, "test_provider_account", account)
    return account


async def replace_provider_keys(
    context: TenantContext, id: UUID, values: dict[str, object]
) -> ProviderAccount:
    """Use new keys at once; webhooks under the old ones are believed for a day. Needs channels:write.

    Raises:
        NotFound: no such account.
        AccountOfChannel: it belongs to an M-Pesa channel.
        ConfigurationInvalid: values that the provider's schema does not take.
    """
    context.require(Scope.CHANNELS_WRITE)
    schema = (await provider_of(context, id)).config_schema
    services = context.services
    async with context.tenant.transaction() as session:
        account = await replacing.replace_keys(
            session, services.keyring, id, schema, values, now=services.clock()
        )
        announce_test(session, id)
        announce(
            session,
            "forget_previous_secrets",
            queue=PLATFORM_QUEUE,
            after_s=PREVIOUS_SECRETS_FOR.total_seconds(),
            provider_account_id=str(id),
        )
        audit(context, session, "replace_provider_keys", account)
    return account


async def reveal_webhook_url(context: TenantContext, id: UUID) -> str:
    """The URL to register at the provider; showing it is audited. Needs channels:write.

    Raises:
        NotFound: no such account.
        AccountOfChannel: an M-Pesa channel registers its own.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.transaction() as session:
        account = await lock_own_account(session, id)
        actor = acting(context)
        opened = await open_secrets(session, context.services.keyring, id, actor, "reveal_webhook_url")
        token = opened.by_name.get(SecretName.WEBHOOK_TOKEN)
        if token is None:
            raise NotFound("webhook URL")
        audit(context, session, "reveal_webhook_url", account)
    return webhook_url(context, token)


async def offered(context: TenantContext, code: str) -> ProviderFacts:
    """What a new account of a provider is held against.

    Raises:
        ProviderUnknown: the catalog has no such provider, or it is inactive.
        ProviderNotOffered: it takes no new accounts.
    """
    async with context.services.owner.reading() as session:
        provider = await enabled_provider(session, code)
    if not provider.offer.takes_accounts:
        raise ProviderNotOffered(code)
    return facts_of(provider)


def facts_of(provider: Provider) -> ProviderFacts:
    """In the words of the tenant's side."""
    return ProviderFacts(
        code=provider.code,
        name=provider.name,
        config_schema=provider.config_schema,
        currencies=frozenset(provider.currencies),
        needs_channel=provider.offer.needs_channel,
    )


def announce_test(session: TenantSession, account_id: UUID, *, then: str = "") -> None:
    """Leave the job that proves the keys; `then` is what it does once they are proven."""
    id_ = str(account_id)
    announce(session, "test_provider_account", queue=PLATFORM_QUEUE, provider_account_id=id_, then=then)


async def register(context: TenantContext, account: ProviderAccount, token: str) -> None:
    """Let the provider's webhooks in. A crash before the caller's commit leaves an endpoint of nothing."""
    async with context.services.owner.transaction() as session:
        await register_endpoint(
            session,
            context.tenant.id,
            sha256(token.encode()).digest(),
            provider=account.provider,
            purpose=WEBHOOK,
            provider_account_id=account.id,
        )


def webhook_url(context: TenantContext, token: str) -> str:
    """Where the provider tells of an account's payments."""
    return f"{context.services.policy.public_url}/hooks/{token}"
