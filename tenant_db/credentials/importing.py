"""Takes over an old configuration document, entry by entry, and undoes it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, exists, select

from core.config_schemas import Violation
from core.errors import DomainError, InvalidInput, NotFound
from core.ids import Kind, inside, new_id, outside
from tenancy.sessions import TenantSession
from tenant_db.credentials import rules
from tenant_db.credentials.configuring import NewConfiguration, ProviderFacts, is_taken
from tenant_db.credentials.errors import (
    AccountNameTaken,
    ConfigurationInvalid,
    ImportNotReversible,
    TooManyProviderAccounts,
)
from tenant_db.credentials.locking import lock_accounts
from tenant_db.credentials.models import ProviderAccount, ProviderImport, SealedSecret
from tenant_db.credentials.old_documents import OldEntry
from tenant_db.payments.models import Payment
from tenant_db.statements.models import StatementImport

Configure = Callable[[ProviderFacts, NewConfiguration], Awaitable[ProviderAccount]]
"""Sets one provider up, with its webhook endpoint and its first test."""


class EntryOutcome(StrEnum):
    """What became, or would become, of one entry of a document; and later of its account."""

    CREATED = "created"
    EXISTS = "exists"
    """An account of this name is there, so nothing was done: importing twice changes nothing."""
    REFUSED = "refused"
    REMOVED = "removed"
    KEPT_USED = "kept_used"
    """Payments or statements name the account."""
    KEPT_CHANGED = "kept_changed"
    """Somebody changed the account since the import."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class EntryResult:
    """One entry of a document."""

    key: str
    outcome: EntryOutcome
    account_id: UUID | None = None
    is_active: bool = False
    is_default: bool = False
    violations: tuple[Violation, ...] = ()


_REFUSALS: Final = (ConfigurationInvalid, InvalidInput, AccountNameTaken, TooManyProviderAccounts)


async def import_entries(
    session: TenantSession,
    entries: Sequence[OldEntry],
    providers: Mapping[str, ProviderFacts],
    configure: Configure,
) -> ProviderImport:
    """Make an account of each entry that can be read; the others say why not.

    The accounts are switched off until a test proves their keys.
    """
    row = ProviderImport(id=new_id(), entries=[])
    session.add(row)
    await session.flush()
    results = [await _import(session, entry, providers, configure, row.id) for entry in entries]
    row.entries = [_stored(result) for result in results]
    await session.flush()
    return row


async def try_entries(
    session: TenantSession, entries: Sequence[OldEntry], providers: Mapping[str, ProviderFacts]
) -> list[EntryResult]:
    """What `import_entries` would do; writes nothing."""
    return [await _tried(session, entry, providers) for entry in entries]


async def roll_back(session: TenantSession, import_id: UUID, now: datetime) -> ProviderImport:
    """Remove the accounts that the import made, but for those that were used or changed since.

    Raises:
        NotFound: no such import.
        ImportNotReversible: it was rolled back already.
    """
    await lock_accounts(session)
    row = await session.get(ProviderImport, import_id, with_for_update=True)
    if row is None:
        raise NotFound("import")
    if row.rolled_back_at is not None:
        raise ImportNotReversible
    results = []
    for result in results_of(row):
        is_made = result.outcome is EntryOutcome.CREATED
        results.append(await _undone(session, result) if is_made else result)
    row.entries = [_stored(result) for result in results]
    row.rolled_back_at = now
    await session.flush()
    return row


def results_of(row: ProviderImport) -> list[EntryResult]:
    """What an import stored of its entries."""
    return [
        EntryResult(
            key=entry["key"],
            outcome=EntryOutcome(entry["outcome"]),
            account_id=None if entry["account"] is None else inside(Kind.PROVIDER_ACCOUNT, entry["account"]),
            is_active=entry["is_active"],
            is_default=entry["is_default"],
            violations=tuple(Violation(*violation) for violation in entry["violations"]),
        )
        for entry in row.entries
    ]


def _stored(result: EntryResult) -> dict[str, Any]:
    account = result.account_id
    return {
        "key": result.key,
        "outcome": result.outcome.value,
        "account": None if account is None else outside(Kind.PROVIDER_ACCOUNT, account),
        "is_active": result.is_active,
        "is_default": result.is_default,
        "violations": [[violation.field, violation.message] for violation in result.violations],
    }


async def _import(
    session: TenantSession,
    entry: OldEntry,
    providers: Mapping[str, ProviderFacts],
    configure: Configure,
    import_id: UUID,
) -> EntryResult:
    tried = await _tried(session, entry, providers)
    if tried.outcome is not EntryOutcome.CREATED:
        return tried
    try:
        account = await configure(providers[entry.key], _configuration(entry, import_id))
    except _REFUSALS as refusal:
        return _refused(entry, refusal)
    return EntryResult(
        entry.key, EntryOutcome.CREATED, account.id, entry.is_active, entry.is_active and entry.is_default
    )


async def _tried(
    session: TenantSession, entry: OldEntry, providers: Mapping[str, ProviderFacts]
) -> EntryResult:
    provider = providers.get(entry.key)
    if entry.violations:
        return EntryResult(entry.key, EntryOutcome.REFUSED, violations=entry.violations)
    if provider is None:
        unknown = Violation("provider", "This provider is not on offer.")
        return EntryResult(entry.key, EntryOutcome.REFUSED, violations=(unknown,))
    if provider.needs_channel:
        channel = Violation("provider", f"{provider.name} collects on channels: call addChannel.")
        return EntryResult(entry.key, EntryOutcome.REFUSED, violations=(channel,))
    try:
        name = rules.require_name(entry.name or provider.name)
        rules.require_priority(entry.priority)
        if entry.currencies is not None:
            rules.require_currencies(entry.currencies, provider.currencies)
        rules.checked(provider.config_schema, entry.environment, entry.values)
    except _REFUSALS as refusal:
        return _refused(entry, refusal)
    if await is_taken(session, provider.code, entry.environment, name):
        return EntryResult(entry.key, EntryOutcome.EXISTS)
    return EntryResult(
        entry.key, EntryOutcome.CREATED, None, entry.is_active, entry.is_active and entry.is_default
    )


def _configuration(entry: OldEntry, import_id: UUID) -> NewConfiguration:
    return NewConfiguration(
        environment=entry.environment,
        values=entry.values,
        name=entry.name,
        currencies=entry.currencies,
        priority=entry.priority,
        import_id=import_id,
    )


def _refused(entry: OldEntry, refusal: DomainError) -> EntryResult:
    if isinstance(refusal, ConfigurationInvalid):
        violations = tuple(refusal.violations)
    else:
        field = refusal.field if isinstance(refusal, InvalidInput) else "name"
        violations = (Violation(field, refusal.message),)
    return EntryResult(entry.key, EntryOutcome.REFUSED, violations=violations)


async def _undone(session: TenantSession, result: EntryResult) -> EntryResult:
    outcome = EntryOutcome.GONE
    account = None
    if result.account_id is not None:
        account = await session.get(ProviderAccount, result.account_id, with_for_update=True)
    if account is not None:
        outcome = await _fate(session, account)
    if account is not None and outcome is EntryOutcome.REMOVED:
        await session.execute(delete(SealedSecret).where(SealedSecret.provider_account_id == account.id))
        await session.delete(account)
        await session.flush()
    return EntryResult(result.key, outcome, result.account_id, result.is_active, result.is_default)


async def _fate(session: TenantSession, account: ProviderAccount) -> EntryOutcome:
    """The row's lock keeps new payments away while this is decided: theirs is a key to it."""
    if account.version != 1:
        return EntryOutcome.KEPT_CHANGED
    payments = exists().where(Payment.provider_account_id == account.id)
    statements = exists().where(StatementImport.provider_account_id == account.id)
    if await session.scalar(select(payments | statements)):
        return EntryOutcome.KEPT_USED
    return EntryOutcome.REMOVED
