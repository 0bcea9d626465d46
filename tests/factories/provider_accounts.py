"""Provider accounts, set up as a tenant sets them up."""

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, new_id, outside
from tenancy.keyring import Keyring
from tenancy.sessions import Tenant
from tenant_db.channels.machine import Environment
from tenant_db.credentials.configuring import NewConfiguration, ProviderFacts, configure_provider
from tenant_db.credentials.models import ProviderAccount, ProviderImport
from tenant_db.credentials.switching import enable_account, set_default
from tenant_db.credentials.testing import record_proven

KEYS: Final = {"secret_key": "sk_test_51abcdef", "publishable_key": "pk_test_51abcdef"}
LIVE_KEYS: Final = {"secret_key": "sk_live_51abcdef", "publishable_key": "pk_live_51abcdef"}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["secret_key"],
    "properties": {
        "secret_key": {
            "type": "string",
            "minLength": 1,
            "writeOnly": True,
            "x-patterns": {"sandbox": "^sk_test_", "production": "^sk_live_"},
        },
        "webhook_secret": {"type": "string", "minLength": 1, "writeOnly": True},
        "publishable_key": {"type": "string", "x-public": True},
    },
}
STRIPE: Final = ProviderFacts(
    "stripe", "Stripe", SCHEMA, frozenset({Currency.KES, Currency.USD, Currency.EUR})
)


async def make_provider_account(
    tenant: Tenant, keyring: Keyring, facts: ProviderFacts = STRIPE, **changes: object
) -> ProviderAccount:
    """Configured, not proven, switched off."""
    new = replace(NewConfiguration(Environment.SANDBOX, KEYS), **changes)  # type: ignore[arg-type]  # checked when made
    async with tenant.transaction() as session:
        return await configure_provider(session, keyring, facts, new, new_id().hex)


async def prove(tenant: Tenant, account_id: UUID) -> None:
    """As the job does after a call that the provider accepted."""
    async with tenant.transaction() as session:
        account = await session.get_one(ProviderAccount, account_id)
        version = account.secrets_version
        assert await record_proven(
            session, account_id, version, summary="The keys work.", warnings=[], now=utc_now()
        )


async def make_enabled_account(tenant: Tenant, keyring: Keyring, **changes: object) -> ProviderAccount:
    """Proven, and switched on."""
    account = await make_provider_account(tenant, keyring, STRIPE, **changes)
    await prove(tenant, account.id)
    async with tenant.transaction() as session:
        return await enable_account(session, account.id)


async def make_accounts_of(keyring: Keyring, tenant: Tenant, name: str) -> dict[str, str]:
    """A default account and an import that made nothing; their TypeIDs."""
    account = await make_enabled_account(tenant, keyring, name=name)
    row = ProviderImport(id=new_id(), entries=[])
    async with tenant.transaction() as session:
        await set_default(session, account.id)
        session.add(row)
    return {
        "own_provider_account": outside(Kind.PROVIDER_ACCOUNT, account.id),
        "provider_import": outside(Kind.PROVIDER_IMPORT, row.id),
    }
