"""Statements as providers export them; all values are invented."""

from typing import Final
from uuid import UUID

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, new_id, outside
from tenancy.sessions import Tenant
from tenant_db.statements.importing import NewImport, StatementPlace, planned_import
from tenant_db.statements.matching import Matched, write_matches
from tenant_db.statements.models import StatementLine
from tenant_db.statements.pairing import Pair, Rule, Tolerance
from tenant_db.statements.rules import LineKind, StatementProvider
from tests.factories.payments import Shop

SHORT_CODE: Final = "174379"
MPESA: Final = (
    "Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,"
    "Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No."
)
API: Final = (
    "id,amount,fee,net,currency,type,reporting_category,source,created,available_on,status,description"
)
REPORT: Final = (
    "id,Type,Source,Amount,Fee,Destination Platform Fee,Destination Platform Fee Currency,Net,Currency,"
    "Created (UTC),Available On (UTC),Description"
)


def mpesa(*rows: str, short_code: str = SHORT_CODE) -> bytes:
    """An organisation statement with its preamble; its first row is the file's sixth."""
    preamble = ["Account Holder:,Mama Njeri", f"Short Code:,{short_code}", "Time Period:,November", ""]
    return "\n".join([*preamble, MPESA, *rows, ""]).encode()


def receipt_row(
    receipt: str,
    paid_in: str = "",
    withdrawn: str = "",
    *,
    details: str = "Pay Bill from 2547 ***** 001",
    at: str = "21-11-2026 10:30:15",
) -> str:
    """One row of an organisation statement."""
    return f'{receipt},{at},{at},{details},Completed,"{paid_in}","{withdrawn}",0,true,,2547 ***** 001,,'


async def make_statement(tenant: Tenant, shop: Shop, name: str, transfer_id: UUID) -> dict[str, str]:
    """A file with an unmatched line and one that is matched with a transfer; their TypeIDs."""
    place = outside(Kind.CHANNEL, shop.channel_id)
    tolerance = Tolerance(0, 3)
    content = mpesa(receipt_row("TKX0000001", "5.00"))
    new = NewImport(StatementProvider.MPESA, shop.channel_id, None, content, name, tolerance)
    row = planned_import(new, StatementPlace(place, frozenset()), new_id())
    row.holding = place
    lines = [_line(row.id, place, name, number) for number in range(2)]
    together = Pair(Rule.BY_HAND, (lines[1].id,), (transfer_id,), 0, Currency.KES)
    match_id = new_id()
    async with tenant.transaction() as session:
        session.add(row)
        await session.flush()
        session.add_all(lines)
        await session.flush()
        await write_matches(session, [together], Matched(note=name), utc_now(), ids=[match_id])
    return {
        "statement_import": outside(Kind.STATEMENT_IMPORT, row.id),
        "statement_line": outside(Kind.STATEMENT_LINE, lines[0].id),
        "statement_match": outside(Kind.STATEMENT_MATCH, match_id),
        "provider_account": outside(Kind.PROVIDER_ACCOUNT, shop.provider_account_id),
    }


def _line(import_id: UUID, holding: str, name: str, number: int) -> StatementLine:
    return StatementLine(
        id=new_id(),
        import_id=import_id,
        holding=holding,
        row_number=number + 1,
        external_id=f"{name}:{number}",
        kind=LineKind.PAYMENT.value,
        reference=name,
        amount_minor=500,
        fee_minor=0,
        currency=Currency.KES,
        occurred_at=utc_now(),
        description=name,
        counterparty="",
        digest=b"",
    )
