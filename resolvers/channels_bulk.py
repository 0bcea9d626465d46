"""Many channels at once: read from a table, and written to one."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from core.errors import DomainError
from resolvers.channels import add_in
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.channels.bulk import Imported, Row, TableFormat, read_rows, write_rows
from tenant_db.channels.errors import ShortCodeTaken
from tenant_db.channels.models import Channel
from tenant_db.stores.models import Store


@dataclass(frozen=True, slots=True)
class ImportWish:
    """A table of channels to add."""

    content: str
    table_format: TableFormat
    is_dry_run: bool


async def import_channels(context: TenantContext, wish: ImportWish) -> Sequence[Imported]:
    """Add the channels of a table, each by itself: one that is refused leaves the others.

    A dry run adds nothing, and says what would be refused. Needs channels:write.

    Raises:
        InvalidInput: it is no such table, or too large.
    """
    context.require(Scope.CHANNELS_WRITE)
    async with context.tenant.reading() as session:
        stores = {row.code: row.id for row in await session.execute(select(Store.code, Store.id))}
        places = await session.execute(select(Channel.environment, Channel.short_code))
        taken = {(place.environment, place.short_code) for place in places}
    rows = read_rows(wish.content, wish.table_format, stores)
    if wish.is_dry_run:
        return [_tried(row, taken) for row in rows]
    return [await _added(context, row) for row in rows]


async def export_channels(context: TenantContext, table_format: TableFormat) -> str:
    """All channels as a table, without any secret. Needs channels:read."""
    context.require(Scope.CHANNELS_READ)
    async with context.tenant.transaction() as session:
        found = await session.execute(
            select(Channel, Store.code)
            .join(Store, Store.id == Channel.store_id)
            .order_by(Channel.created_at, Channel.id)
        )
        rows = [(channel, code) for channel, code in found.all()]
        details = {"format": table_format.value, "rows": len(rows)}
        record_audit(session, acting(context), "export_channels", subject="channels", details=details)
    return write_rows(rows, table_format)


def _tried(row: Row, taken: set[tuple[str, str]]) -> Imported:
    refusal: DomainError | None = row.error
    if row.new is not None and (row.new.environment.value, row.new.short_code) in taken:
        refusal = ShortCodeTaken(row.new.short_code)
    return Imported(row.number, row.short_code, None, refusal)


async def _added(context: TenantContext, row: Row) -> Imported:
    if row.new is None:
        return Imported(row.number, row.short_code, None, row.error)
    try:
        async with context.tenant.transaction() as session:
            channel = await add_in(context, session, row.new)
    except DomainError as refusal:
        return Imported(row.number, row.short_code, None, refusal)
    return Imported(row.number, row.short_code, channel, None)
