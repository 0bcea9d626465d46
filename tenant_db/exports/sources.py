"""Where an export's rows come from: one ledger account, one store, or everything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from tenancy.sessions import Tenant
from tenant_db.ledger.statements import Span

BATCH_ROWS: Final = 5_000
"""Rows that are read and written at a time: some milliseconds of a worker that has other work, too."""

Cells = Sequence[str]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose transfers are told of; with neither, all of the business."""

    account_id: UUID | None = None
    store_id: UUID | None = None


class Row(Protocol):
    """One line of a file."""

    @property
    def is_counted(self) -> bool:
        """Whether it stands for something that was recorded, and is no heading or sum."""
        ...

    def csv(self) -> Cells:
        """Its cells, below the source's `header`."""
        ...


class Source(Protocol):
    """Reads the rows of one export in order, and can be put down and taken up again."""

    header: Cells

    async def read(self, tenant: Tenant) -> Sequence[Row]:
        """The next rows, some thousand; empty: that was all."""
        ...

    def place(self) -> dict[str, Any]:
        """Where it stands, as JSON."""
        ...


def span_json(span: Span) -> dict[str, Any]:
    """A span as it is kept between two runs: amounts as text, since JSON's numbers lose digits."""
    return {
        "account": str(span.account_id),
        "code": span.code,
        "after": span.after,
        "until": span.until,
        "opening": str(span.opening_minor),
        "closing": str(span.closing_minor),
    }


def span_of(kept: Mapping[str, Any]) -> Span:
    """The same, read back."""
    return Span(
        account_id=UUID(kept["account"]),
        code=kept["code"],
        after=kept["after"],
        until=kept["until"],
        opening_minor=int(kept["opening"]),
        closing_minor=int(kept["closing"]),
    )
