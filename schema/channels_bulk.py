"""Many channels at once, as a table in CSV or JSON."""

from typing import Annotated

import strawberry
from strawberry.types import Info

from resolvers import channels_bulk
from resolvers.channels_bulk import ImportWish
from schema.channel_types import Channel
from schema.codes import ErrorCode
from schema.errors import ForbiddenError, InvalidInputError
from schema.scalars import api_enum
from tenancy.context import TenantContext
from tenant_db.channels.bulk import Imported, TableFormat

api_enum(
    TableFormat,
    "ChannelTableFormat",
    "How a table of channels is written.",
    {
        TableFormat.CSV: "Comma-separated, the first line names the columns.",
        TableFormat.JSON: "A list of objects.",
    },
)


@strawberry.type(description="What became of one row of a table.")
class ImportedChannel:
    row: int = strawberry.field(description="From 1; the heading of a CSV does not count.")
    short_code: str = strawberry.field(description="As the row has it.")
    channel: Channel | None = strawberry.field(description="The new channel; null if there is none.")
    code: ErrorCode | None = strawberry.field(description="Why it was refused, for programs.")
    message: str | None = strawberry.field(description="Why it was refused, for people.")

    @classmethod
    def of(cls, imported: Imported) -> "ImportedChannel":
        refusal = imported.refusal
        return cls(
            row=imported.number,
            short_code=imported.short_code,
            channel=None if imported.channel is None else Channel.of(imported.channel),
            code=None if refusal is None else ErrorCode(refusal.code),
            message=None if refusal is None else refusal.message,
        )


@strawberry.input(description="A table of channels to add.")
class ImportChannelsInput:
    content: str = strawberry.field(
        description="Up to 1,000 rows with the columns name, store_code, kind, environment, short_code, "
        "head_office_code, activates_itself, initiator_name, consumer_key, consumer_secret, passkey and "
        "initiator_password. What an export has can be imported; its status is left out."
    )
    format: TableFormat = strawberry.field(description="How it is written.")
    dry_run: bool = strawberry.field(
        default=True, description="Whether to say only what would be refused, and add nothing."
    )


@strawberry.type(description="Every row was looked at.")
class ImportChannelsSuccess:
    dry_run: bool = strawberry.field(description="Whether nothing was added.")
    added_count: int = strawberry.field(description="How many channels were added.")
    refused_count: int = strawberry.field(description="How many rows were refused, or would be.")
    rows: list[ImportedChannel] = strawberry.field(description="What became of each row, in their order.")


ImportChannelsResult = Annotated[
    ImportChannelsSuccess | InvalidInputError | ForbiddenError,
    strawberry.union("ImportChannelsResult", description="What became of the table."),
]


@strawberry.type(description="Channels as a table.")
class ChannelBulkQueries:
    @strawberry.field(
        description="All channels as a table, without any secret. No cell is a formula. Needs channels:read."
    )
    async def export_channels(
        self,
        info: Info[TenantContext, None],
        format: Annotated[TableFormat, strawberry.argument(description="How it is to be written.")],
    ) -> str:
        return await channels_bulk.export_channels(info.context, format)


@strawberry.type(description="Adding many channels.")
class ChannelBulkMutations:
    @strawberry.mutation(
        description="Adds the channels of a table; a row that is refused leaves the others. Needs "
        "channels:write."
    )
    async def import_channels(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ImportChannelsInput, strawberry.argument(description="The table.")],
    ) -> ImportChannelsResult:
        wish = ImportWish(input.content, input.format, input.dry_run)
        rows = [ImportedChannel.of(row) for row in await channels_bulk.import_channels(info.context, wish)]
        return ImportChannelsSuccess(
            dry_run=input.dry_run,
            added_count=sum(row.channel is not None for row in rows),
            refused_count=sum(row.code is not None for row in rows),
            rows=rows,
        )
