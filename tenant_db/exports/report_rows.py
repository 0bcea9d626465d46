"""The rows of a financial report's file: what was taken at each place, by currency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from core.periods import Period
from tenancy.sessions import Tenant
from tenant_db.exports.cells import amount_text
from tenant_db.exports.sources import Cells
from tenant_db.ledger.reports import PlaceTakings, takings_by_place

HEADER: Final = (
    "Place",
    "Provider",
    "Currency",
    "Sales (count)",
    "Gross (whole units)",
    "Fees (whole units)",
    "Refunds (whole units)",
    "Net (whole units)",
)


class ReportRow(NamedTuple):
    """What was taken at one place in one currency."""

    line: PlaceTakings

    @property
    def is_counted(self) -> bool:
        return True

    def csv(self) -> Cells:
        takings = self.line.takings
        parts = (takings.gross, takings.fees, takings.refunds, takings.net)
        return (
            self.line.place or "",
            self.line.provider or "",
            takings.gross.currency.value,
            str(takings.sales_count),
            *(amount_text(part.minor, part.currency.exponent) for part in parts),
        )


@dataclass(slots=True)
class ReportSource:
    """Adds up once, and has told everything with its first rows."""

    period: Period
    store_id: UUID | None
    is_told: bool = False
    header: Cells = HEADER

    @classmethod
    def resume(cls, period: Period, store_id: UUID | None, place: Mapping[str, Any]) -> "ReportSource":
        """At the beginning, or where an earlier run has put it down."""
        return cls(period, store_id, is_told=bool(place))

    def place(self) -> dict[str, Any]:
        return {"is_told": True} if self.is_told else {}

    async def read(self, tenant: Tenant) -> Sequence[ReportRow]:
        """All rows, and then none."""
        if self.is_told:
            return []
        self.is_told = True
        async with tenant.reading() as session:
            found = await takings_by_place(session, self.period, self.store_id)
        return [ReportRow(line) for line in found]
