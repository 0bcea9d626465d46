"""Importing statements, and matching their lines with the books."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.errors import InvalidInput
from core.ids import Kind, inside, outside, parse
from resolvers import statements
from resolvers.statements import LineFilter
from schema.connections import After, Connection, First, connection, page_request
from schema.errors import (
    ForbiddenError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
)
from schema.ledger_types import Transfer
from schema.scalars import BigInt
from schema.statement_types import (
    ImportStatementSuccess,
    MatchRefusedError,
    StatementImport,
    StatementLine,
    StatementMatch,
    StatementMisplacedError,
    StatementUnreadableError,
)
from tenancy.context import TenantContext
from tenant_db.ledger.models import Transfer as TransferRow
from tenant_db.statements.importing import NewImport
from tenant_db.statements.pairing import Tolerance
from tenant_db.statements.rules import TOLERANCE_DAYS, StatementProvider
from tenant_db.statements.unpacking import ContentEncoding, unpacked


@strawberry.input(description="The file to import, and how strictly its lines are matched.")
class ImportStatementInput:
    idempotency_key: str = strawberry.field(
        description="Your own unique name of this request, such as a UUID. Repeat it to repeat safely."
    )
    provider: StatementProvider = strawberry.field(description="Whose statement it is.")
    content: str = strawberry.field(
        description="The file as CSV in UTF-8, at most 16 MB unpacked and 60,000 rows."
    )
    content_encoding: ContentEncoding = strawberry.field(
        default=ContentEncoding.BASE64, description="How `content` is written."
    )
    file_name: str = strawberry.field(description="What people call the file: 1 to 200 characters.")
    channel_id: strawberry.ID | None = strawberry.field(
        default=None, description="For M-Pesa: the channel whose statement it is; starts with chan_."
    )
    provider_account_id: strawberry.ID | None = strawberry.field(
        default=None, description="For Stripe: the provider account; starts with pacc_."
    )
    tolerance_minor: BigInt = strawberry.field(
        default=BigInt(0), description="By how many minor units a line and its transfers may differ."
    )
    tolerance_days: int = strawberry.field(
        default=TOLERANCE_DAYS,
        description="How many days a line and its transfers may be apart where no reference names them.",
    )
    dry_run: bool = strawberry.field(
        default=False, description="Only read the file and tell what is wrong in which row."
    )

    def to_domain(self) -> NewImport:
        """Raises InvalidInput."""
        return NewImport(
            provider=self.provider,
            channel_id=None if self.channel_id is None else inside(Kind.CHANNEL, self.channel_id),
            provider_account_id=None
            if self.provider_account_id is None
            else inside(Kind.PROVIDER_ACCOUNT, self.provider_account_id),
            content=unpacked(self.content, self.content_encoding),
            file_name=self.file_name,
            tolerance=Tolerance(int(self.tolerance_minor), self.tolerance_days),
        )


@strawberry.input(description="Lines and transfers that are the same money.")
class MatchStatementLinesInput:
    idempotency_key: str = strawberry.field(
        description="Your own unique name of this request, such as a UUID. Repeat it to repeat safely."
    )
    line_ids: list[strawberry.ID] = strawberry.field(
        description="1 to 500 unmatched lines of one place; each starts with sline_."
    )
    transfer_ids: list[strawberry.ID] = strawberry.field(
        description="1 to 500 transfers that moved what lies there; each starts with txr_."
    )
    note: str = strawberry.field(description="Why they belong together: 1 to 500 characters.")


@strawberry.input(description="The match to undo.")
class UnmatchStatementInput:
    idempotency_key: str = strawberry.field(
        description="Your own unique name of this request, such as a UUID. Repeat it to repeat safely."
    )
    match_id: strawberry.ID = strawberry.field(description="The match; starts with match_.")
    note: str = strawberry.field(description="Why it was wrong: 1 to 500 characters.")


@strawberry.type(description="A transfer that no statement has confirmed yet.")
class UnmatchedTransfer:
    transfer: Transfer = strawberry.field(description="The transfer.")

    @classmethod
    def of(cls, row: TransferRow) -> "UnmatchedTransfer":
        return cls(transfer=Transfer.of(row))


@strawberry.type(description="The lines are matched.")
class MatchStatementLinesSuccess:
    match: StatementMatch = strawberry.field(description="The new match.")


@strawberry.type(description="The match is undone; its lines and transfers are free again.")
class UnmatchStatementSuccess:
    match: StatementMatch = strawberry.field(description="The match now.")


ImportStatementResult = Annotated[
    ImportStatementSuccess
    | StatementUnreadableError
    | StatementMisplacedError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("ImportStatementResult", description="What was read and imported."),
]
MatchStatementLinesResult = Annotated[
    MatchStatementLinesSuccess
    | MatchRefusedError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("MatchStatementLinesResult", description="Whether the lines are matched."),
]
UnmatchStatementResult = Annotated[
    UnmatchStatementSuccess
    | MatchRefusedError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("UnmatchStatementResult", description="Whether the match is undone."),
]

ImportId = Annotated[strawberry.ID, strawberry.argument(description="Starts with stmt_.")]
MatchId = Annotated[strawberry.ID, strawberry.argument(description="Starts with match_.")]
OnlyImport = Annotated[strawberry.ID | None, strawberry.argument(description="Only lines of this file.")]
Place = Annotated[
    strawberry.ID, strawberry.argument(description="A channel or a provider account: chan_… or pacc_….")
]
OnlyPlace = Annotated[strawberry.ID | None, strawberry.argument(description="Only lines of this place.")]
OnlyMatched = Annotated[
    bool | None, strawberry.argument(description="true: only matched lines; false: only unmatched ones.")
]
Since = Annotated[datetime | None, strawberry.argument(description="Recorded then or later.")]
Until = Annotated[datetime | None, strawberry.argument(description="Recorded before then.")]


def _place(id: strawberry.ID) -> str:
    """The name of a place in the books. Raises InvalidInput where it is none."""
    kind, id_ = parse(id)
    if kind not in {Kind.CHANNEL, Kind.PROVIDER_ACCOUNT}:
        raise InvalidInput("holding", "A place is a channel or a provider account: chan_… or pacc_….")
    return outside(kind, id_)


@strawberry.type(description="Providers' statements beside the books.")
class StatementQueries:
    @strawberry.field(description="The imported files, newest first. Needs ledger:read.")
    async def statement_imports(
        self, info: Info[TenantContext, None], first: First = 20, after: After = None
    ) -> Connection[StatementImport]:
        scope = info.context.tenant.id
        page = await statements.statement_imports(info.context, page_request(first, after, scope))
        return connection(page, StatementImport.of, scope, after=after)

    @strawberry.field(description="One import; null if there is no such import. Needs ledger:read.")
    async def statement_import(self, info: Info[TenantContext, None], id: ImportId) -> StatementImport | None:
        row = await statements.statement_import(info.context, inside(Kind.STATEMENT_IMPORT, id))
        return None if row is None else StatementImport.of(row)

    @strawberry.field(description="One match; null if there is no such match. Needs ledger:read.")
    async def statement_match(self, info: Info[TenantContext, None], id: MatchId) -> StatementMatch | None:
        row = await statements.statement_match(info.context, inside(Kind.STATEMENT_MATCH, id))
        return None if row is None else StatementMatch.of(row)

    @strawberry.field(description="Lines of statements, the last imported first. Needs ledger:read.")
    async def statement_lines(  # noqa: PLR0917 - GraphQL arguments are named by the client
        self,
        info: Info[TenantContext, None],
        first: First = 20,
        after: After = None,
        import_id: OnlyImport = None,
        holding: OnlyPlace = None,
        is_matched: OnlyMatched = None,
    ) -> Connection[StatementLine]:
        scope = info.context.tenant.id
        only = LineFilter(
            None if import_id is None else inside(Kind.STATEMENT_IMPORT, import_id),
            None if holding is None else _place(holding),
            is_matched,
        )
        page = await statements.statement_lines(info.context, page_request(first, after, scope), only)
        return connection(page, StatementLine.of, scope, after=after)

    @strawberry.field(
        description="Transfers that moved what lies at a place and that no statement has confirmed, newest "
        "first. Needs ledger:read."
    )
    async def unmatched_transfers(  # noqa: PLR0917 - GraphQL arguments are named by the client
        self,
        info: Info[TenantContext, None],
        holding: Place,
        first: First = 20,
        after: After = None,
        since: Since = None,
        until: Until = None,
    ) -> Connection[UnmatchedTransfer]:
        scope = info.context.tenant.id
        request = page_request(first, after, scope)
        page = await statements.unmatched_transfers(info.context, request, _place(holding), since, until)
        return connection(page, UnmatchedTransfer.of, scope, after=after)


@strawberry.type(description="Importing statements, and deciding about their lines.")
class StatementMutations:
    @strawberry.mutation(
        description="Imports a provider's statement and matches its lines with the books. Rows that can't be "
        "read are told and left out; lines that an earlier file brought are not imported twice. More than "
        "1,000 rows are imported by a job: watch statementImport. Needs ledger:write."
    )
    async def import_statement(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ImportStatementInput, strawberry.argument(description="The file.")],
    ) -> ImportStatementResult:
        done = await statements.import_statement(
            info.context, input.to_domain(), input.idempotency_key, is_dry_run=input.dry_run
        )
        return ImportStatementSuccess.of(done)

    @strawberry.mutation(
        description="Says that lines and transfers are the same money, whatever their sums are; the "
        "difference is kept. Needs ledger:write."
    )
    async def match_statement_lines(
        self,
        info: Info[TenantContext, None],
        input: Annotated[MatchStatementLinesInput, strawberry.argument(description="What belongs together.")],
    ) -> MatchStatementLinesResult:
        row = await statements.match_statement_lines(
            info.context,
            [inside(Kind.STATEMENT_LINE, each) for each in input.line_ids],
            [inside(Kind.TRANSFER, each) for each in input.transfer_ids],
            input.note,
            input.idempotency_key,
        )
        return MatchStatementLinesSuccess(match=StatementMatch.of(row))

    @strawberry.mutation(description="Undoes a match, whoever made it. Needs ledger:write.")
    async def unmatch_statement(
        self,
        info: Info[TenantContext, None],
        input: Annotated[UnmatchStatementInput, strawberry.argument(description="Which match.")],
    ) -> UnmatchStatementResult:
        match_id = inside(Kind.STATEMENT_MATCH, input.match_id)
        row = await statements.unmatch_statement(info.context, match_id, input.note, input.idempotency_key)
        return UnmatchStatementSuccess(match=StatementMatch.of(row))
