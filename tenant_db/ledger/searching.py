"""The SQL of a search through transfers: what it looks at is bounded, whatever it finds.

A search is a union of branches, each in the order of an index: the transfers of one account as source,
of one as destination, of one kind, with one reference, or all. A branch stops when it has found a page
or has looked at its share of EXAMINED_MAX. The union is complete down to the newest transfer at which
a branch stopped, the cut. A page that ends there is short, and the next one begins there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from core.currency import Currency
from core.pages import PageRequest
from tenant_db.ledger.rules import TransferKind

EXAMINED_MAX: Final = 3_000
"""Transfers that one search looks at: some milliseconds."""
ACCOUNTS_MAX: Final = 50
"""Of more accounts, all transfers are looked at instead of each account's own."""
COLUMNS: Final = (
    "id",
    "created_at",
    "source_id",
    "destination_id",
    "source_sequence",
    "destination_sequence",
    "amount_minor",
    "currency",
    "kind",
    "reference",
    "effective_at",
    "reverses_id",
    "hold_id",
    "details",
)


class TransferStatus(StrEnum):
    """Whether a transfer still counts."""

    POSTED = "posted"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class AmountRange:
    """Amounts of one currency, both ends included; None is no limit."""

    currency: Currency
    least_minor: int | None = None
    most_minor: int | None = None


@dataclass(frozen=True, slots=True)
class TransferFilter:
    """Which transfers are wanted: all that is given must hold. None and empty ask for nothing."""

    kinds: frozenset[TransferKind] = frozenset()
    status: TransferStatus | None = None
    reference: str | None = None
    amount: AmountRange | None = None
    since: datetime | None = None
    """Recorded then or later."""
    before: datetime | None = None
    """Recorded earlier."""
    store_id: UUID | None = None
    """Touches an account of this store; with `place` and `account_id`, one that is all three."""
    place: str | None = None
    """Touches an account of the holding with this TypeID."""
    account_id: UUID | None = None

    @property
    def names_accounts(self) -> bool:
        return any(name is not None for name in (self.store_id, self.place, self.account_id))


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL, and the values of its parameters."""

    sql: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Driver:
    """Where branches come from: an index that leads to what is looked at."""

    each: str | None
    """A list, of whose items each has its branches; None is one item."""
    branches: tuple[str, ...]
    """The condition of each branch of one item."""
    branch_count: int
    together: str
    """What all branches come to, as one condition."""
    covers: frozenset[str] = frozenset()
    """The conditions that need not be looked at any more."""


class Search:
    """Writes the statements of one filter. `accounts` are those that it names."""

    def __init__(self, only: TransferFilter, accounts: Sequence[UUID]) -> None:
        self._only = only
        self._accounts = accounts
        self._values: dict[str, Any] = {}
        self._conditions = self._written()
        self._driver = self._chosen()
        rest = [sql for name, sql in self._conditions.items() if name not in self._driver.covers]
        self._rest = " AND ".join(rest)

    def page(self, request: PageRequest) -> Statement:
        """Up to `first` + 1 transfers after a place, newest first.

        Each row ends with `cut_at` and `cut_id`, null where the search came to its end. Of an empty
        page there is one row, whose `id` is null.
        """
        rows = request.first + 1
        columns = ", ".join(f"t.{name}" for name in COLUMNS)
        # Limits stand in the text: the planner must know that they are small.
        return self._statement(f"""
WITH seen AS MATERIALIZED ({self._seen(request, rows)}),
cut AS (SELECT created_at, id FROM seen WHERE is_last ORDER BY created_at DESC, id DESC LIMIT 1)
SELECT {columns}, cut.created_at AS cut_at, cut.id AS cut_id
FROM (SELECT) AS always LEFT JOIN cut ON true LEFT JOIN LATERAL (
    SELECT DISTINCT created_at, id FROM seen
    WHERE matches AND (cut.id IS NULL OR (seen.created_at, seen.id) >= (cut.created_at, cut.id))
    ORDER BY created_at DESC, id DESC LIMIT {rows}
) AS page ON true LEFT JOIN ledger_transfers AS t ON t.id = page.id
ORDER BY page.created_at DESC, page.id DESC""")  # noqa: S608 - constant parts; values are parameters

    def sums(self, debit: Sequence[UUID], credit: Sequence[UUID], examined_max: int) -> Statement:
        """By currency: what came into the accounts that grow by debits or credits, and what left them.

        What moves between two of them counts as neither. Columns: currency, examined, found, in_minor,
        out_minor. Where `examined` adds up to more than `examined_max` there was more to look at.
        """
        raising, falling = (
            self._put("debit", list(debit), "uuid[]"),
            self._put("credit", list(credit), "uuid[]"),
        )
        return self._statement(f"""
WITH seen AS (
    SELECT t.currency, t.amount_minor, ({self._rest or "true"}) AS matches,
        t.source_id = ANY({raising}) OR t.destination_id = ANY({falling}) AS grows,
        t.source_id = ANY({falling}) OR t.destination_id = ANY({raising}) AS falls
    FROM ledger_transfers AS t WHERE {self._driver.together}{self._period()} LIMIT {examined_max + 1}
)
SELECT currency, count(*) AS examined, count(*) FILTER (WHERE matches) AS found,
    coalesce(sum(amount_minor) FILTER (WHERE matches AND grows AND NOT falls), 0) AS in_minor,
    coalesce(sum(amount_minor) FILTER (WHERE matches AND falls AND NOT grows), 0) AS out_minor
FROM seen GROUP BY currency ORDER BY currency""")  # noqa: S608 - as above

    def _statement(self, sql: str) -> Statement:
        return Statement(sql, self._values)

    def _put(self, name: str, value: object, kind: str) -> str:
        self._values[name] = value
        return f"CAST(:{name} AS {kind})"

    def _written(self) -> dict[str, str]:
        only, conditions = self._only, {}
        if only.reference is not None:
            conditions["reference"] = f"t.reference = {self._put('reference', only.reference, 'text')}"
        if only.names_accounts:
            accounts = self._put("accounts", list(self._accounts), "uuid[]")
            conditions["accounts"] = f"(t.source_id = ANY({accounts}) OR t.destination_id = ANY({accounts}))"
        if only.kinds:
            kinds = self._put("kinds", sorted(only.kinds), "text[]")
            conditions["kinds"] = f"t.kind = ANY({kinds})"
        if only.status is not None:
            negation = "NOT " if only.status is TransferStatus.POSTED else ""
            undone = "SELECT FROM ledger_transfers AS undoing WHERE undoing.reverses_id = t.id"
            conditions["status"] = f"{negation}EXISTS ({undone})"
        if only.amount is not None:
            conditions["amount"] = self._amount(only.amount)
        return conditions

    def _amount(self, wanted: AmountRange) -> str:
        parts = [f"t.currency = {self._put('currency', wanted.currency.value, 'text')}"]
        if wanted.least_minor is not None:
            parts.append(f"t.amount_minor >= {self._put('least', wanted.least_minor, 'numeric')}")
        if wanted.most_minor is not None:
            parts.append(f"t.amount_minor <= {self._put('most', wanted.most_minor, 'numeric')}")
        return " AND ".join(parts)

    def _chosen(self) -> Driver:
        known = self._conditions
        if "reference" in known:
            return Driver(None, (known["reference"],), 1, known["reference"], frozenset({"reference"}))
        if "accounts" in known and len(self._accounts) <= ACCOUNTS_MAX:
            return Driver(
                "unnest(CAST(:accounts AS uuid[])) AS each (id)",
                ("t.source_id = each.id", "t.destination_id = each.id"),
                2 * len(self._accounts),
                known["accounts"],
                frozenset({"accounts"}),
            )
        if "kinds" in known:
            # As text: the planner must know which kinds are rare.
            branches = tuple(f"t.kind = '{kind.value}'" for kind in sorted(self._only.kinds))
            return Driver(None, branches, len(branches), known["kinds"], frozenset({"kinds"}))
        return Driver(None, ("true",), 1, "true")

    def _seen(self, request: PageRequest, rows: int) -> str:
        branches = " UNION ALL ".join(self._branch(each, request, rows) for each in self._driver.branches)
        if self._driver.each is None:
            return branches
        return f"SELECT branch.* FROM {self._driver.each} CROSS JOIN LATERAL ({branches}) AS branch"  # noqa: S608 - as above

    def _branch(self, condition: str, request: PageRequest, rows: int) -> str:
        share = rows if not self._rest else max(rows, EXAMINED_MAX // max(1, self._driver.branch_count))
        return f"""
(SELECT created_at, id, matches,
    examined = {share} OR row_number() OVER (ORDER BY created_at DESC, id DESC) = {rows} AS is_last
FROM (
    SELECT t.created_at, t.id, ({self._rest or "true"}) AS matches,
        row_number() OVER (ORDER BY t.created_at DESC, t.id DESC) AS examined
    FROM ledger_transfers AS t WHERE {condition}{self._period()}{self._after(request)}
    ORDER BY t.created_at DESC, t.id DESC LIMIT {share}
) AS looked
WHERE matches OR examined = {share}
ORDER BY created_at DESC, id DESC LIMIT {rows})"""  # noqa: S608 - as above

    def _period(self) -> str:
        sql = ""
        if self._only.since is not None:
            sql += self._bound(">=", "since", self._only.since, _FIRST)
        if self._only.before is not None:
            sql += self._bound("<", "before", self._only.before, _FIRST)
        return sql

    def _after(self, request: PageRequest) -> str:
        after = request.after
        return "" if after is None else self._bound("<", "after", after.created_at, after.id)

    def _bound(self, comparison: str, name: str, at: datetime, id_: UUID) -> str:
        # Rows compared, not times: of `>= $1 AND < $2` the planner would expect a handful, and look
        # for them in the wrong index.
        at_, of = self._put(f"{name}_at", at, "timestamptz"), self._put(f"{name}_id", id_, "uuid")
        return f" AND (t.created_at, t.id) {comparison} ({at_}, {of})"


_FIRST: Final = UUID(int=0)
"""Comes before every other id of its moment."""
