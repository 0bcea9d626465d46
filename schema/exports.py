"""Files of the books: ordered, watched while they are made, fetched by a signed link."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside, outside
from resolvers import exports
from resolvers.exports import WantedExport
from schema.connections import After, Connection, First, Node, connection, page_request
from schema.errors import (
    Error,
    ForbiddenError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
    Refusal,
)
from schema.ledger_statements import PeriodInput
from schema.scalars import BigInt, api_enum
from tenancy.context import TenantContext
from tenant_db.exports.errors import ExportNotReady, ExportTooLarge, TooManyExports
from tenant_db.exports.machine import ExportStatus
from tenant_db.exports.models import Export as ExportRow
from tenant_db.exports.rules import ExportFormat, ExportKind, percent
from tenant_db.exports.sources import Subject

api_enum(
    ExportKind,
    "ExportKind",
    "What a file tells.",
    {
        ExportKind.STATEMENT: "Opening balance, every entry with the balance it left, closing balance.",
        ExportKind.TRANSACTIONS: "Every transfer, each once.",
        ExportKind.REPORT: "Sales, fees, refunds and what is left of them, by place and currency: of a "
        "store or of the whole business, in at most 400 days.",
    },
)
api_enum(
    ExportFormat,
    "ExportFormat",
    "What a file is made for.",
    {
        ExportFormat.CSV: "Programs and spreadsheets: at most 1,000,000 rows.",
        ExportFormat.PDF: "People and printers: at most 10,000 rows.",
    },
)
api_enum(
    ExportStatus,
    "ExportStatus",
    "Where the making of a file stands.",
    {
        ExportStatus.QUEUED: "It will soon be begun.",
        ExportStatus.RUNNING: "It is being made; `progress` says how far it is.",
        ExportStatus.READY: "It can be fetched, until `expiresAt`.",
        ExportStatus.FAILED: "It could not be made; `failure` says why.",
        ExportStatus.EXPIRED: "It was there, and is removed now. Ask for a new one.",
    },
)


@strawberry.type(description="Other exports are still being made. Wait for one of them.")
class TooManyExportsError(Error):
    running_max: int = strawberry.field(description="How many are made at the same time.")


@strawberry.type(description="The file would have too many rows for its format. Ask for a shorter period.")
class ExportTooLargeError(Error):
    rows_max: int = strawberry.field(description="How many it may have.")


@strawberry.type(description="There is no file to fetch: it is not made yet, failed, or was removed.")
class ExportNotReadyError(Error):
    status: ExportStatus = strawberry.field(description="Where the making of the file stands.")


REFUSALS = (
    Refusal(TooManyExports, TooManyExportsError),
    Refusal(ExportTooLarge, ExportTooLargeError),
    Refusal(ExportNotReady, ExportNotReadyError),
)


@strawberry.type(description="One file that was asked for.")
class Export(Node):
    kind: ExportKind = strawberry.field(description="What it tells.")
    format: ExportFormat = strawberry.field(description="What it is made for.")
    status: ExportStatus = strawberry.field(description="Where its making stands.")
    progress: int = strawberry.field(description="How far it is, 0 to 100; 100 means ready.")
    rows_done: BigInt = strawberry.field(description="How many rows are written.")
    rows_total: BigInt = strawberry.field(description="How many there are to write, about.")
    account_id: strawberry.ID | None = strawberry.field(
        description="Of which ledger account; null if of none."
    )
    store_id: strawberry.ID | None = strawberry.field(description="Of which store; null if of none.")
    since: datetime = strawberry.field(description="The first instant it tells of.")
    before: datetime = strawberry.field(description="The instant up to which it tells.")
    file_name: str = strawberry.field(description="What it is called when it is saved.")
    size_bytes: BigInt = strawberry.field(description="How large it is so far.")
    failure: str | None = strawberry.field(description="Why it could not be made; null unless it failed.")
    version: int = strawberry.field(description="Grows with every change: the highest is the newest.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    finished_at: datetime | None = strawberry.field(description="When it was ready, or had failed.")
    expires_at: datetime | None = strawberry.field(
        description="When the file is removed; null until it is ready."
    )

    @classmethod
    def of(cls, row: ExportRow) -> "Export":
        status = ExportStatus(row.status)
        is_made = status in {ExportStatus.READY, ExportStatus.EXPIRED}
        return cls(
            id=strawberry.ID(outside(Kind.EXPORT, row.id)),
            kind=ExportKind(row.kind),
            format=ExportFormat(row.format),
            status=status,
            progress=100 if is_made else percent(row.row_count, row.row_total),
            rows_done=BigInt(row.row_count),
            rows_total=BigInt(max(row.row_count, row.row_total)),
            account_id=_maybe(Kind.LEDGER_ACCOUNT, row.account_id),
            store_id=_maybe(Kind.STORE, row.store_id),
            since=row.since,
            before=row.before,
            file_name=row.file_name,
            size_bytes=BigInt(row.size_bytes),
            failure=row.failure,
            version=row.version,
            created_at=row.created_at,
            finished_at=row.finished_at,
            expires_at=row.expires_at,
        )


def _maybe(kind: Kind, id: UUID | None) -> strawberry.ID | None:
    return None if id is None else strawberry.ID(outside(kind, id))


async def export_node(context: TenantContext, id: UUID) -> Export | None:
    row = await exports.export(context, id)
    return None if row is None else Export.of(row)


@strawberry.input(description="The file to make.")
class RequestExportInput:
    kind: ExportKind = strawberry.field(description="What it shall tell.")
    format: ExportFormat = strawberry.field(description="What it is made for.")
    period: PeriodInput = strawberry.field(description="What is still to come of it is left out.")
    idempotency_key: str = strawberry.field(
        description="Chosen by you, new for each file: who repeats it gets the same one."
    )
    account_id: strawberry.ID | None = strawberry.field(
        default=None, description="Of one ledger account; starts with lacc_."
    )
    store_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Of one store; starts with store_. A statement needs an account or a store; "
        "transactions and a report of neither are those of the whole business.",
    )

    def to_domain(self) -> WantedExport:
        """Raises InvalidInput."""
        subject = Subject(
            None if self.account_id is None else inside(Kind.LEDGER_ACCOUNT, self.account_id),
            None if self.store_id is None else inside(Kind.STORE, self.store_id),
        )
        return WantedExport(self.kind, self.format, subject, self.period.to_domain())


@strawberry.input(description="The export whose file is wanted.")
class LinkExportInput:
    id: strawberry.ID = strawberry.field(description="Starts with exp_.")


@strawberry.type(description="The file will be made. Watch exportUpdated, or ask again.")
class RequestExportSuccess:
    export: Export = strawberry.field(description="The order.")


@strawberry.type(description="The file can be fetched.")
class LinkExportSuccess:
    download_url: str = strawberry.field(
        description="GET it, without a token, within some minutes. It works as long as your session or key "
        "does. Treat it as a secret."
    )
    expires_at: datetime = strawberry.field(description="When the link stops working.")


RequestExportResult = Annotated[
    RequestExportSuccess
    | TooManyExportsError
    | ExportTooLargeError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError,
    strawberry.union("RequestExportResult", description="Whether the file will be made."),
]
LinkExportResult = Annotated[
    LinkExportSuccess | ExportNotReadyError | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("LinkExportResult", description="Whether there is a file to fetch."),
]
ExportId = Annotated[strawberry.ID, strawberry.argument(description="Starts with exp_.")]


@strawberry.type(description="Files of the books.")
class ExportQueries:
    @strawberry.field(description="The exports of your business, newest first. Needs ledger:read.")
    async def exports(
        self, info: Info[TenantContext, None], first: First = 20, after: After = None
    ) -> Connection[Export]:
        scope = info.context.tenant.id
        page = await exports.exports(info.context, page_request(first, after, scope))
        return connection(page, Export.of, scope, after=after)

    @strawberry.field(description="One export; null if there is no such export. Needs ledger:read.")
    async def export(self, info: Info[TenantContext, None], id: ExportId) -> Export | None:
        return await export_node(info.context, inside(Kind.EXPORT, id))


@strawberry.type(description="Having files made.")
class ExportMutations:
    @strawberry.mutation(
        description="Has a file made of the books, which takes seconds. Needs ledger:read. It is kept for "
        "seven days."
    )
    async def request_export(
        self,
        info: Info[TenantContext, None],
        input: Annotated[RequestExportInput, strawberry.argument(description="The file to make.")],
    ) -> RequestExportResult:
        row = await exports.request_export(info.context, input.to_domain(), input.idempotency_key)
        return RequestExportSuccess(export=Export.of(row))

    @strawberry.mutation(
        description="Gives a link to a file that is ready; who takes one is written down. Needs ledger:read."
    )
    async def link_export(
        self,
        info: Info[TenantContext, None],
        input: Annotated[LinkExportInput, strawberry.argument(description="The export.")],
    ) -> LinkExportResult:
        url, expires_at = await exports.link_export(info.context, inside(Kind.EXPORT, input.id))
        return LinkExportSuccess(download_url=url, expires_at=expires_at)


@strawberry.type(description="Files as they are made.")
class ExportSubscriptions:
    @strawberry.subscription(
        description="An export's state now, then each newer one. Needs ledger:read. Steps in quick "
        "succession may come as one; the stream stays open after the file is ready."
    )
    async def export_updated(
        self, info: Info[TenantContext, None], id: ExportId
    ) -> AsyncGenerator[Export, None]:
        rows = exports.export_updates(info.context, inside(Kind.EXPORT, id))
        async with aclosing(rows):
            async for row in rows:
                yield Export.of(row)
