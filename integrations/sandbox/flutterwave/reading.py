"""What Flutterwave answers when it is asked: verify, lists, refunds, balances.

Source: Flutterwave v3, sections 4 to 6.
"""

from collections.abc import Iterable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from integrations.sandbox.accounts import Account
from integrations.sandbox.flutterwave.rows import Refund, Transaction
from integrations.sandbox.flutterwave.wire import (
    GENERAL,
    Refused,
    envelope,
    read_refund_json,
    verified_json,
)
from integrations.sandbox.plans import Plans
from integrations.sandbox.records import Records
from integrations.sandbox.refusals import Dropped

NO_TRANSACTION: Final = "No transaction was found for this id"
PAGE_ROWS: Final = 10
CURRENCIES: Final = ("KES", "NGN", "USD")


class Reading:
    """Questions over the records of one sandbox."""

    def __init__(self, plans: Plans, transactions: Records[Transaction], refunds: Records[Refund]) -> None:
        self._plans = plans
        self._transactions = transactions
        self._refunds = refunds

    async def verify(self, request: Request, account: Account) -> Response:
        row = self._transactions.get(request.path_params["id"])
        known = row is not None and row.key == account.id and not row.is_hidden
        return self._verified(account, row if known else None)

    async def verify_by_reference(self, request: Request, account: Account) -> Response:
        """One of them, where there are several attempts: the first, which is the least helpful."""
        tx_ref = request.query_params.get("tx_ref", "")
        found = [row for row in self._of(account) if row.tx_ref == tx_ref]
        return self._verified(account, found[0] if found else None)

    async def transactions(self, request: Request, account: Account) -> Response:
        asked = request.query_params
        found = [
            row
            for row in self._of(account)
            if _is_between(row.created_at, request)
            and asked.get("tx_ref", row.tx_ref) == row.tx_ref
            and asked.get("status", row.told_status) == row.told_status
        ]
        return _page([verified_json(row) for row in found], request)

    async def refund(self, request: Request, account: Account) -> Response:
        row = self._refunds.get(request.path_params["id"])
        if row is None or row.key != account.id:
            raise Refused(400, "No refund was found for this id")
        return envelope(read_refund_json(row), "Refund fetched")

    async def refunds(self, request: Request, account: Account) -> Response:
        found = [
            row for row in self._refunds if row.key == account.id and _is_between(row.created_at, request)
        ]
        return _page([read_refund_json(row) for row in found], request)

    async def balances(self, request: Request, account: Account) -> Response:
        rows: list[dict[str, Any]] = [
            {"currency": code, "available_balance": 100_000, "ledger_balance": 100_000} for code in CURRENCIES
        ]
        wanted = request.path_params.get("currency")
        if wanted is None:
            return envelope(rows, "Wallet balances fetched")
        for row in rows:
            if row["currency"] == wanted:
                return envelope(row, "Wallet balance fetched")
        raise Refused(400, "No wallet for this currency")

    def _of(self, account: Account) -> Iterable[Transaction]:
        return (row for row in self._transactions if row.key == account.id and not row.is_hidden)

    def _verified(self, account: Account, row: Transaction | None) -> Response:
        plan = self._plans.next(account.id, "verify", tx_ref=None if row is None else row.tx_ref)
        match plan.answer:
            case "html":
                return HTMLResponse("<html><body><h1>Service Temporarily Unavailable</h1></body></html>")
            case "drop" | "hang":
                return Dropped()
            case "429" | "500" | "503":
                raise Refused(int(plan.answer), GENERAL)
        if row is None:
            raise Refused(400, NO_TRANSACTION)
        return envelope(verified_json(row), "Transaction fetched successfully")


def _is_between(created_at: str, request: Request) -> bool:
    day = created_at[:10]
    return request.query_params.get("from", day) <= day <= request.query_params.get("to", day)


def _page(rows: list[dict[str, Any]], request: Request) -> Response:
    text = request.query_params.get("page", "1")
    page = int(text) if text.isdigit() else 1
    info = {"total": len(rows), "current_page": page, "total_pages": -(-len(rows) // PAGE_ROWS)}
    chosen = rows[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    return envelope(chosen, "Transactions fetched", meta={"page_info": info})
