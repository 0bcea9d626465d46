"""Takes over a business's old provider configuration, and undoes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from core.ids import Kind, outside
from owner_db.catalog.providers import enabled_providers
from owner_db.tenants.hooks import revoke_endpoints
from resolvers import provider_keys
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.credentials import importing
from tenant_db.credentials.configuring import NewConfiguration, ProviderFacts
from tenant_db.credentials.importing import EntryOutcome, EntryResult
from tenant_db.credentials.models import ProviderAccount
from tenant_db.credentials.old_documents import read_document


@dataclass(frozen=True, slots=True)
class ImportView:
    """What an import did, or would do: then it has no id."""

    id: UUID | None
    entries: Sequence[EntryResult]


async def import_payment_providers(context: TenantContext, document: object) -> ImportView:
    """Make accounts of an old document's entries, and have their keys tested. Needs channels:write.

    Entries that were active are switched on once their keys are proven.

    Raises:
        InvalidInput: the document can't be read at all.
    """
    context.require(Scope.CHANNELS_WRITE)
    entries = read_document(document)
    providers = await _providers(context)
    made: list[tuple[ProviderAccount, str]] = []
    async with context.tenant.transaction() as session:

        async def configure(facts: ProviderFacts, new: NewConfiguration) -> ProviderAccount:
            account, token = await provider_keys.configure_in(context, session, facts, new)
            made.append((account, token))
            return account

        row = await importing.import_entries(session, entries, providers, configure)
        results = importing.results_of(row)
        for result in results:
            if result.account_id is not None:
                provider_keys.announce_test(session, result.account_id, then=_then(result))
        _audit(context, session, "import_payment_providers", row.id, results)
        for account, token in made:
            await provider_keys.register(context, account, token)
    return ImportView(row.id, results)


async def try_import(context: TenantContext, document: object) -> ImportView:
    """What `import_payment_providers` would do; writes nothing. Needs channels:write.

    Raises:
        InvalidInput: the document can't be read at all.
    """
    context.require(Scope.CHANNELS_WRITE)
    entries = read_document(document)
    providers = await _providers(context)
    async with context.tenant.reading() as session:
        return ImportView(None, await importing.try_entries(session, entries, providers))


async def rollback_payment_provider_import(context: TenantContext, id: UUID) -> ImportView:
    """Remove what an import made and nobody used or changed since. Needs channels:write.

    Raises:
        NotFound: no such import.
        ImportNotReversible: it was rolled back already.
    """
    context.require(Scope.CHANNELS_WRITE)
    now = context.services.clock()
    async with context.tenant.transaction() as session:
        row = await importing.roll_back(session, id, now)
        results = importing.results_of(row)
        _audit(context, session, "rollback_payment_provider_import", id, results)
    removed = [result.account_id for result in results if result.outcome is EntryOutcome.REMOVED]
    async with context.services.owner.transaction() as owner_session:
        ids = [account_id for account_id in removed if account_id is not None]
        await revoke_endpoints(owner_session, context.tenant.id, ids, now)
    return ImportView(id, results)


async def _providers(context: TenantContext) -> Mapping[str, ProviderFacts]:
    async with context.services.owner.reading() as session:
        found = await enabled_providers(session)
    return {
        provider.code: provider_keys.facts_of(provider) for provider in found if provider.offer.takes_accounts
    }


def _then(result: EntryResult) -> str:
    """As jobs.provider_accounts reads it."""
    if not result.is_active:
        return ""
    return "default" if result.is_default else "enable"


def _audit(
    context: TenantContext, session: TenantSession, action: str, id: UUID, results: Sequence[EntryResult]
) -> None:
    details = {result.key: result.outcome.value for result in results}
    subject = outside(Kind.PROVIDER_IMPORT, id)
    record_audit(session, acting(context), action, subject=subject, details=details)
