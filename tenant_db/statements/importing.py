"""Imports a statement: where it belongs, what its lines are, and which of them were known."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, func, select, text

from core.errors import InvalidInput, NotFound
from core.ids import Kind, new_id, outside
from tenancy.sessions import TenantSession
from tenant_db.channels.models import Channel
from tenant_db.credentials.models import ProviderAccount
from tenant_db.statements.models import StatementImport, StatementLine
from tenant_db.statements.mpesa_lines import mpesa_lines
from tenant_db.statements.pairing import Tolerance
from tenant_db.statements.parsing import Parsed, ParsedLine, RowError
from tenant_db.statements.rules import (
    ERRORS_TOLD_MAX,
    ImportState,
    StatementProvider,
    require_file_name,
    require_tolerances,
)
from tenant_db.statements.stripe_lines import stripe_lines

BATCH: Final = 1_000
"""Lines written by one statement."""

_STORE: Final = text("""
INSERT INTO statement_lines
    (id, created_at, import_id, holding, row_number, external_id, kind, reference, amount_minor, fee_minor,
     currency, occurred_at, description, counterparty, digest)
SELECT id, :now, :import_id, :holding, row_number, external_id, kind, reference, amount_minor, fee_minor,
    currency, occurred_at, description, counterparty, digest
FROM unnest(
    CAST(:ids AS uuid[]), CAST(:row_numbers AS int[]), CAST(:external_ids AS text[]), CAST(:kinds AS text[]),
    CAST(:references AS text[]), CAST(:amounts AS numeric[]), CAST(:fees AS numeric[]),
    CAST(:currencies AS text[]), CAST(:times AS timestamptz[]), CAST(:descriptions AS text[]),
    CAST(:counterparties AS text[]), CAST(:digests AS bytea[])
) AS new (id, row_number, external_id, kind, reference, amount_minor, fee_minor, currency, occurred_at,
    description, counterparty, digest)
ON CONFLICT (holding, external_id) DO NOTHING
RETURNING external_id
""").bindparams(bindparam("now", type_=DateTime(timezone=True)), bindparam("import_id", type_=Uuid))


@dataclass(frozen=True, slots=True)
class NewImport:
    """The command to import one file.

    Raises:
        InvalidInput: the file's name or a tolerance is not usable, or not exactly one place is named.
    """

    provider: StatementProvider
    channel_id: UUID | None
    provider_account_id: UUID | None
    content: bytes
    file_name: str
    tolerance: Tolerance

    def __post_init__(self) -> None:
        require_file_name(self.file_name)
        require_tolerances(self.tolerance.minor, self.tolerance.days)
        if self.provider is StatementProvider.MPESA and self.channel_id is None:
            raise InvalidInput("channelId", "An M-Pesa statement belongs to a channel: name it.")
        if self.provider is StatementProvider.STRIPE and self.provider_account_id is None:
            raise InvalidInput("providerAccountId", "A Stripe export belongs to a provider account: name it.")
        if self.channel_id is not None and self.provider_account_id is not None:
            raise InvalidInput("providerAccountId", "Name a channel or a provider account, not both.")


@dataclass(frozen=True, slots=True)
class StatementPlace:
    """Where a statement belongs."""

    holding: str
    """The TypeID of the channel or provider account."""
    short_codes: frozenset[str]


async def statement_place(
    session: TenantSession,
    provider: str,
    channel_id: UUID | None,
    provider_account_id: UUID | None,
) -> StatementPlace:
    """Raises NotFound: no such channel or provider account of this provider."""
    if channel_id is not None:
        channel = await session.get(Channel, channel_id)
        if channel is None:
            raise NotFound("channel")
        codes = frozenset(filter(None, (channel.short_code, channel.head_office_code)))
        return StatementPlace(outside(Kind.CHANNEL, channel_id), codes)
    account = None if provider_account_id is None else await session.get(ProviderAccount, provider_account_id)
    if account is None or account.provider != provider:
        raise NotFound("provider account")
    return StatementPlace(outside(Kind.PROVIDER_ACCOUNT, account.id), frozenset())


def read_statement(provider: StatementProvider, content: bytes, place: StatementPlace) -> Parsed:
    """Read a file: seconds for the largest, so not on the event loop.

    Raises:
        StatementUnreadable: the file as a whole is no statement of the provider.
        StatementMisplaced: it is another place's.
    """
    if provider is StatementProvider.MPESA:
        return mpesa_lines(content, place.short_codes)
    return stripe_lines(content)


def planned_import(new: NewImport, place: StatementPlace, id: UUID) -> StatementImport:
    """The row of an import that waits for its job, and the file with it."""
    return StatementImport(
        id=id,
        provider=new.provider.value,
        channel_id=new.channel_id,
        provider_account_id=new.provider_account_id,
        holding=place.holding,
        file_name=new.file_name.strip(),
        digest=sha256(new.content).digest(),
        content=zlib.compress(new.content),
        state=ImportState.WAITING.value,
        tolerance_minor=new.tolerance.minor,
        tolerance_days=new.tolerance.days,
        errors={"rows": []},
    )


def begin_import(row: StatementImport, found: Parsed) -> None:
    """Note what was read. The caller has the row; a run after a crash goes on where the last one was."""
    row.state = ImportState.RUNNING.value
    row.row_count = found.row_count
    row.error_count = len(found.errors)
    row.errors = {"rows": [_plain(error) for error in found.errors[:ERRORS_TOLD_MAX]]}


async def store_lines(
    session: TenantSession, row: StatementImport, lines: Sequence[ParsedLine], now: datetime
) -> None:
    """Write the next lines; one that an earlier file brought is counted and left as it is.

    A line whose name is known with other content is an error: providers don't rewrite history.
    """
    for start in range(0, len(lines), BATCH):
        batch = lines[start : start + BATCH]
        written = await session.scalars(_STORE, _columns(row, batch, now))
        fresh = set(written)
        known = [line for line in batch if line.external_id not in fresh]
        row.imported_count += len(fresh)
        row.done_count += len(batch)
        if known:
            await _count_known(session, row, known)


def finish_import(row: StatementImport, matched_count: int, now: datetime) -> None:
    """Note that everything is stored and matched, and let go of the file."""
    row.state = ImportState.DONE.value
    row.done_count = row.row_count
    row.matched_count = matched_count
    row.content = None
    row.finished_at = now


def refuse_import(row: StatementImport, message: str, now: datetime) -> None:
    """Note that the file is no statement of its place."""
    row.state = ImportState.REFUSED.value
    row.error_count = 1
    row.errors = {"rows": [[0, "", message]]}
    row.content = None
    row.finished_at = now


def tolerance_of(row: StatementImport) -> Tolerance:
    """How far lines and transfers may be apart, as the import was told."""
    return Tolerance(row.tolerance_minor, row.tolerance_days)


def row_errors(row: StatementImport) -> list[RowError]:
    """What was wrong in the file's rows, the first of them."""
    return [RowError(*each) for each in row.errors.get("rows", ())]


async def period_of(session: TenantSession, import_id: UUID) -> tuple[datetime, datetime] | None:
    """From the first to the last time in an import's lines; None if it has none."""
    found = await session.execute(
        select(func.min(StatementLine.occurred_at), func.max(StatementLine.occurred_at)).where(
            StatementLine.import_id == import_id
        )
    )
    first, last = found.one()
    return None if first is None else (first, last)


async def _count_known(session: TenantSession, row: StatementImport, known: Sequence[ParsedLine]) -> None:
    found = await session.execute(
        select(StatementLine.external_id, StatementLine.digest).where(
            StatementLine.holding == row.holding,
            StatementLine.external_id.in_([line.external_id for line in known]),
        )
    )
    digests = dict(found.all())
    changed = [line for line in known if digests[line.external_id] != line.digest]
    row.duplicate_count += len(known) - len(changed)
    row.error_count += len(changed)
    told = [
        _plain(RowError(line.row_number, "", f"An earlier file has {line.external_id} with other content."))
        for line in changed
    ]
    row.errors = {"rows": [*row.errors["rows"], *told][:ERRORS_TOLD_MAX]}


def _plain(error: RowError) -> list[Any]:
    return [error.row_number, error.column, error.message]


def _columns(row: StatementImport, lines: Sequence[ParsedLine], now: datetime) -> dict[str, Any]:
    return {
        "now": now,
        "import_id": row.id,
        "holding": row.holding,
        "ids": [new_id() for _ in lines],
        "row_numbers": [line.row_number for line in lines],
        "external_ids": [line.external_id for line in lines],
        "kinds": [line.kind.value for line in lines],
        "references": [line.reference for line in lines],
        "amounts": [line.amount.minor for line in lines],
        "fees": [line.fee.minor for line in lines],
        "currencies": [line.amount.currency.value for line in lines],
        "times": [line.occurred_at for line in lines],
        "descriptions": [line.description for line in lines],
        "counterparties": [line.counterparty for line in lines],
        "digests": [line.digest for line in lines],
    }
