"""Providers' statements, as clients see them."""

from datetime import datetime
from uuid import UUID

import strawberry

from core.currency import Currency
from core.ids import Kind, outside
from core.money import Money as CoreMoney
from resolvers.statements import Imported
from schema.errors import Error, Refusal
from schema.finding_types import maybe_actor, maybe_id
from schema.scalars import Money, api_enum
from tenant_db.statements.errors import MatchRefused, StatementMisplaced, StatementUnreadable
from tenant_db.statements.importing import row_errors
from tenant_db.statements.models import StatementImport as ImportRow
from tenant_db.statements.models import StatementLine as LineRow
from tenant_db.statements.models import StatementMatch as MatchRow
from tenant_db.statements.pairing import Rule
from tenant_db.statements.parsing import Parsed, RowError
from tenant_db.statements.rules import ERRORS_TOLD_MAX, ImportState, LineKind, StatementProvider
from tenant_db.statements.unpacking import ContentEncoding

api_enum(
    StatementProvider,
    "StatementProvider",
    "Whose statements can be read.",
    {
        StatementProvider.MPESA: "M-Pesa: the organisation statement, as CSV.",
        StatementProvider.STRIPE: "Stripe: balance transactions, as the API or the dashboard exports them.",
    },
)
api_enum(
    ImportState,
    "StatementImportState",
    "Where an import is.",
    {
        ImportState.WAITING: "The file is stored; a job will read it.",
        ImportState.RUNNING: "Its lines are being stored: see doneCount.",
        ImportState.DONE: "Its lines are stored, and matched as far as that is sure.",
        ImportState.REFUSED: "It is no statement of this place; errors say why.",
    },
)
api_enum(
    LineKind,
    "StatementLineKind",
    "What a line of a statement is about.",
    {
        LineKind.PAYMENT: "A payer paid.",
        LineKind.REFUND: "Money went back to a payer.",
        LineKind.FEE: "The provider's fee.",
        LineKind.PAYOUT: "Money left: to the bank, to a phone.",
        LineKind.OTHER: "Anything else.",
    },
)
api_enum(
    Rule,
    "StatementMatchRule",
    "Why lines and transfers are taken to be the same money.",
    {
        Rule.REFERENCE: "They share the provider's reference and the amount.",
        Rule.REFERENCE_SUM: "All lines and all transfers of one reference come to the same sum.",
        Rule.SETTLEMENT: "The line is the sum of transfers in a row, and of no others near it.",
        Rule.AMOUNT_AND_TIME: "No others have the amount at that time, and no reference contradicts.",
        Rule.BY_HAND: "Somebody of the business said so.",
    },
)
api_enum(
    ContentEncoding,
    "ContentEncoding",
    "How a file stands in a request.",
    {
        ContentEncoding.TEXT: "As its text.",
        ContentEncoding.BASE64: "In base64.",
        ContentEncoding.GZIP_BASE64: "Compressed with gzip, then in base64: for long files.",
    },
)


@strawberry.type(description="The file as a whole can't be read as a statement of this provider.")
class StatementUnreadableError(Error):
    pass


@strawberry.type(description="The file is a statement of another short code or account.")
class StatementMisplacedError(Error):
    pass


@strawberry.type(description="These lines and transfers can't be matched, or one of them is matched already.")
class MatchRefusedError(Error):
    pass


REFUSALS = (
    Refusal(StatementUnreadable, StatementUnreadableError),
    Refusal(StatementMisplaced, StatementMisplacedError),
    Refusal(MatchRefused, MatchRefusedError),
)


@strawberry.type(description="What is wrong in one row of a file.")
class StatementRowError:
    row_number: int = strawberry.field(description="As a spreadsheet counts; 0 is the file as a whole.")
    column: str = strawberry.field(description="Which column; empty for the row as a whole.")
    message: str = strawberry.field(description="What is wrong, in English.")

    @classmethod
    def of(cls, error: RowError) -> "StatementRowError":
        return cls(row_number=error.row_number, column=error.column, message=error.message)


@strawberry.type(description="What was read of a file.")
class StatementPreview:
    row_count: int = strawberry.field(description="Rows below the headings.")
    line_count: int = strawberry.field(description="Rows that moved money and can be imported.")
    error_count: int = strawberry.field(description="Rows that can't be read.")
    errors: list[StatementRowError] = strawberry.field(description="The first 100 of them.")

    @classmethod
    def of(cls, found: Parsed) -> "StatementPreview":
        return cls(
            row_count=found.row_count,
            line_count=len(found.lines),
            error_count=len(found.errors),
            errors=[StatementRowError.of(error) for error in found.errors[:ERRORS_TOLD_MAX]],
        )


@strawberry.type(description="One file, and how far its import is.")
class StatementImport:
    id: strawberry.ID = strawberry.field(description="Starts with stmt_.")
    provider: StatementProvider = strawberry.field(description="Whose statement it is.")
    holding: strawberry.ID = strawberry.field(description="The place: a channel or a provider account.")
    file_name: str = strawberry.field(description="As it was given.")
    state: ImportState = strawberry.field(description="Where the import is.")
    row_count: int = strawberry.field(description="Rows below the headings; 0 until it is read.")
    done_count: int = strawberry.field(description="Rows stored so far: the progress towards rowCount.")
    imported_count: int = strawberry.field(description="Lines that are new.")
    duplicate_count: int = strawberry.field(description="Lines that an earlier file had brought.")
    matched_count: int = strawberry.field(description="Lines that were matched when it was imported.")
    error_count: int = strawberry.field(description="Rows that could not be imported.")
    errors: list[StatementRowError] = strawberry.field(description="The first 100 of them.")
    created_at: datetime = strawberry.field(description="When it was sent.")
    finished_at: datetime | None = strawberry.field(description="When it was done or refused.")

    @classmethod
    def of(cls, row: ImportRow) -> "StatementImport":
        return cls(
            id=strawberry.ID(outside(Kind.STATEMENT_IMPORT, row.id)),
            provider=StatementProvider(row.provider),
            holding=strawberry.ID(row.holding),
            file_name=row.file_name,
            state=ImportState(row.state),
            row_count=row.row_count,
            done_count=row.done_count,
            imported_count=row.imported_count,
            duplicate_count=row.duplicate_count,
            matched_count=row.matched_count,
            error_count=row.error_count,
            errors=[StatementRowError.of(error) for error in row_errors(row)],
            created_at=row.created_at,
            finished_at=row.finished_at,
        )


@strawberry.type(description="One row of a provider's statement.")
class StatementLine:
    id: strawberry.ID = strawberry.field(description="Starts with sline_.")
    import_id: strawberry.ID = strawberry.field(description="The file that brought it.")
    holding: strawberry.ID = strawberry.field(description="The place: a channel or a provider account.")
    row_number: int = strawberry.field(description="Its row in that file.")
    kind: LineKind = strawberry.field(description="What it is about.")
    reference: str = strawberry.field(description="M-Pesa's receipt, or Stripe's source.")
    amount: Money = strawberry.field(description="What came in; what left is negative.")
    fee: Money = strawberry.field(description="What the provider kept of it, where the line says so.")
    occurred_at: datetime = strawberry.field(description="When the provider says it happened.")
    description: str = strawberry.field(description="In the provider's words.")
    counterparty: str = strawberry.field(description="Who paid or was paid, as the provider writes it.")
    is_matched: bool = strawberry.field(description="Whether its transfers are known.")
    match_id: strawberry.ID | None = strawberry.field(description="The match it is part of.")

    @classmethod
    def of(cls, row: LineRow) -> "StatementLine":
        return cls(
            id=strawberry.ID(outside(Kind.STATEMENT_LINE, row.id)),
            import_id=strawberry.ID(outside(Kind.STATEMENT_IMPORT, row.import_id)),
            holding=strawberry.ID(row.holding),
            row_number=row.row_number,
            kind=LineKind(row.kind),
            reference=row.reference,
            amount=Money.of(row.amount),
            fee=Money.of(CoreMoney(row.fee_minor, row.currency)),
            occurred_at=row.occurred_at,
            description=row.description,
            counterparty=row.counterparty,
            is_matched=row.match_id is not None,
            match_id=maybe_id(Kind.STATEMENT_MATCH, row.match_id),
        )


@strawberry.type(description="Lines and transfers that are the same money.")
class StatementMatch:
    id: strawberry.ID = strawberry.field(description="Starts with match_.")
    rule: Rule = strawberry.field(description="Why they belong together.")
    line_ids: list[strawberry.ID] = strawberry.field(description="The lines.")
    transfer_ids: list[strawberry.ID] = strawberry.field(description="The transfers.")
    currency: Currency = strawberry.field(description="Of both.")
    difference: Money = strawberry.field(description="The lines' sum less the transfers'.")
    matched_by_id: strawberry.ID | None = strawberry.field(
        description="Who matched them: a user or an API key; null for a rule."
    )
    note: str | None = strawberry.field(description="Why, in their words.")
    created_at: datetime = strawberry.field(description="When.")
    undone_at: datetime | None = strawberry.field(description="When it was undone; null while it counts.")
    undone_by_id: strawberry.ID | None = strawberry.field(description="Who undid it.")
    undone_note: str | None = strawberry.field(description="Why, in their words.")

    @classmethod
    def of(cls, row: MatchRow) -> "StatementMatch":
        return cls(
            id=strawberry.ID(outside(Kind.STATEMENT_MATCH, row.id)),
            rule=Rule(row.rule),
            line_ids=_ids(Kind.STATEMENT_LINE, row.items["lines"]),
            transfer_ids=_ids(Kind.TRANSFER, row.items["transfers"]),
            currency=row.currency,
            difference=Money.of(CoreMoney(row.difference_minor, row.currency)),
            matched_by_id=maybe_actor(row.matched_by),
            note=row.note,
            created_at=row.created_at,
            undone_at=row.undone_at,
            undone_by_id=maybe_actor(row.undone_by),
            undone_note=row.undone_note,
        )


@strawberry.type(description="The file was read; unless it was a dry run, its import has begun or is done.")
class ImportStatementSuccess:
    statement_import: StatementImport | None = strawberry.field(description="The import; null for a dry run.")
    preview: StatementPreview | None = strawberry.field(
        description="What was read; null where a job reads a long file."
    )

    @classmethod
    def of(cls, imported: Imported) -> "ImportStatementSuccess":
        return cls(
            statement_import=None if imported.row is None else StatementImport.of(imported.row),
            preview=None if imported.found is None else StatementPreview.of(imported.found),
        )


def _ids(kind: Kind, texts: list[str]) -> list[strawberry.ID]:
    return [strawberry.ID(outside(kind, UUID(text))) for text in texts]
