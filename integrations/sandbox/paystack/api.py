"""Paystack's own endpoints, and its controls.

Source: Paystack, sections 1 to 5.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from html import escape
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.currency import Currency
from core.errors import InvalidInput
from integrations.sandbox import demo
from integrations.sandbox.accounts import Account
from integrations.sandbox.mailbox import PAGE
from integrations.sandbox.paystack import views
from integrations.sandbox.paystack.calls import Call, envelope, listed
from integrations.sandbox.paystack.checks import Refused, read_body, refuse
from integrations.sandbox.paystack.collecting import Collecting
from integrations.sandbox.paystack.disputes import Disputes
from integrations.sandbox.paystack.outcomes import OWN_OUTCOMES
from integrations.sandbox.paystack.payers import Payers
from integrations.sandbox.paystack.refunds import Refunds
from integrations.sandbox.paystack.rows import Dispute, Refund, Transaction, business_of
from integrations.sandbox.paystack.wire import PaystackWire
from integrations.sandbox.plans import Plan
from integrations.sandbox.provider import Control, Ground, PaidRow, ProviderSandbox, RefundedRow

Take = Callable[[Call], Awaitable[Response]]
SUBUNIT_EXPONENT: Final = 2
ENDED: Final = "ended"
"""A detail of an account whose key was replaced."""


class PaystackSandbox(ProviderSandbox):
    """Transactions, refunds and disputes of all accounts."""

    code = "paystack"
    own_outcomes = OWN_OUTCOMES

    def __init__(self, ground: Ground) -> None:
        known = Account(demo.DEMO_PAYSTACK_SECRET_KEY, {"public_key": demo.DEMO_PAYSTACK_PUBLIC_KEY})
        super().__init__(ground, [known], PaystackWire())
        self._transactions = self.keep("transaction", Transaction)
        told, clock = self.webhooks, self.clockwork
        self._payers = Payers(self._transactions, clock, told, self.settings)
        self._collecting = Collecting(self._transactions, self.plans, self._payers, self.settings)
        refunds = self.keep("refund", Refund)
        self._refunds = Refunds(refunds, self._transactions, clock, told, self.settings)
        disputes = self.keep("dispute", Dispute)
        self._disputes = Disputes(disputes, self._transactions, told, self.settings)

    def routes(self) -> list[BaseRoute]:
        collecting = self._collecting
        posts: dict[str, Take] = {
            "/transaction/initialize": self._initialize,
            "/charge": self._charge,
            "/charge/submit_{what}": self._planned("submit", collecting.submit),
            "/refund": self._order_refund,
            "/refund/retry_with_customer_details/{id}": self._retry_refund,
        }
        gets: dict[str, Take] = {
            "/transaction/verify/{reference}": self._asked("verify", collecting.verify),
            "/transaction": self._asked("list", collecting.list),
            "/transaction/{id}": self._asked("show", collecting.show),
            "/charge/{reference}": self._asked("charge_check", collecting.check),
            "/refund": self._asked("refund_list", self._list_refunds),
            "/refund/{id}": self._asked("refund_query", self._show_refund),
            "/balance": self._asked("balance", collecting.balance),
        }
        return [
            *(Route(path, self._endpoint(take), methods=["POST"]) for path, take in posts.items()),
            *(Route(path, self._endpoint(take), methods=["GET"]) for path, take in gets.items()),
            Route("/pay/{access_code}", self._show_page, methods=["GET"]),
        ]

    def own_controls(self) -> Mapping[str, Control]:
        return {
            "pay": self.pay,
            "rotate": self.rotate,
            "dispute": self.open_dispute,
            "dispute_remind": self.remind_of_dispute,
            "dispute_resolve": self.resolve_dispute,
        }

    def paid(self) -> Iterator[PaidRow]:
        for row in self._transactions:
            if row.paid_at is not None:
                told = row.way.details.get("told", {})
                charged = row.amount + min(0, told.get("amount_by", 0))
                minor = _minor(charged, row.currency)
                yield PaidRow(row.reference, row.payment_id, minor, row.currency, str(row.number), row.key)

    def refunded(self) -> Iterator[RefundedRow]:
        for row in self._refunds.rows:
            of = self._transactions.get(row.transaction_id)
            if of is not None and row.status == "processed":
                minor, note = _minor(row.amount, row.currency), row.merchant_note or None
                yield RefundedRow(of.reference, note, minor, row.currency, row.id, row.key)

    def resume(self) -> None:
        for row in self._transactions:
            self._payers.go_on(row)
        for refund in self._refunds.rows:
            self._refunds.go_on(refund)

    async def release(self, given: dict[str, Any]) -> dict[str, Any]:
        """Hide nothing any longer, let who waits act, and tell it: of one `reference`, or of all."""
        for row in self._transactions:
            if given.get("reference") in (None, row.reference):
                await self._payers.release(row)
        for refund in self._refunds.rows:
            of = self._transactions.get(refund.transaction_id)
            if of is not None and given.get("reference") in (None, of.reference):
                await self._refunds.release(refund)
        return await super().release(given)

    async def pay(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"reference", "key"}`: the payer pays now, whatever was before."""
        row = self._named(given)
        await self._payers.pay(row)
        return {"status": row.status}

    async def rotate(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"key", "to"}`: replace a secret key. The old one is refused, and signs nothing any more."""
        old = self.accounts.get(str(given.get("key", self.accounts.demo_key)))
        new = str(given.get("to", ""))
        if old is None or not new:
            raise InvalidInput("key", "Name a key that is known, and one to take its place.")
        details = {**old.details, "business": business_of(old)}
        self.accounts.register({"key": new, "details": details, "url": old.webhook_url})
        self.accounts.register({"key": old.id, "details": {ENDED: "yes"}, "url": ""})
        for kept in self._kept:
            for row in kept:
                if row.key == old.id:
                    row.key = new
                    kept.save(row)
        return {"key": new}

    async def open_dispute(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"reference", "key", "amount", "category"}`."""
        dispute = await self._disputes.open(self._named(given), given)
        return {"id": dispute.id}

    async def remind_of_dispute(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"id"}`."""
        await self._disputes.remind(self._dispute(given))
        return {}

    async def resolve_dispute(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"id", "resolution"}`: `merchant-accepted` or `declined`."""
        await self._disputes.resolve(self._dispute(given), str(given.get("resolution", "")))
        return {}

    async def _initialize(self, call: Call) -> Response:
        row = self._collecting.read(call, is_page=True)
        return await self._answered(row.way, lambda: self._collecting.initialize(row))

    async def _charge(self, call: Call) -> Response:
        row = self._collecting.read(call, is_page=False)
        return await self._answered(row.way, lambda: self._collecting.charge(row))

    async def _order_refund(self, call: Call) -> Response:
        named = str(call.body.get("transaction") or "")
        of = next(
            (row for row in self._collecting.of(call) if named in (row.reference, str(row.number))), None
        )
        if of is None:
            raise Refused(404, "Transaction not found", code="transaction_not_found")
        note = call.body.get("merchant_note")
        way = self.plans.next(call.account.id, "refund", reference=of.reference, refund_id=note)
        row = self._refunds.read(call.body, of, way)

        async def take() -> dict[str, Any]:
            await self._refunds.order(row, of)
            data = {} if way.details.get("malformed") else views.ordered_refund(row, of)
            return envelope("Refund has been queued for processing", data)

        return await self._answered(way, take)

    async def _retry_refund(self, call: Call) -> Response:
        row, of = self._refund(call)
        await self._refunds.retry(row, call.body.get("refund_account_details"))
        return JSONResponse(
            envelope("Refund retried and has been queued for processing", views.refund(row, of))
        )

    def _show_refund(self, call: Call) -> dict[str, Any]:
        return envelope("Refund retrieved", views.refund(*self._refund(call)))

    def _list_refunds(self, call: Call) -> dict[str, Any]:
        rows = {row.id: row for row in self._collecting.of(call)}
        wanted = call.query.get("transaction")
        refunds = [
            refund
            for refund in self._refunds.rows
            if refund.transaction_id in rows and wanted in (None, str(rows[refund.transaction_id].number))
        ]
        return listed(call, refunds, lambda refund: views.refund(refund, rows[refund.transaction_id]))

    def _refund(self, call: Call) -> tuple[Refund, Transaction]:
        row = self._refunds.rows.get(call.path["id"])
        of = None if row is None else self._transactions.get(row.transaction_id)
        if row is None or of is None or of.business != business_of(call.account):
            raise Refused(404, "Refund not found", code="refund_not_found")
        return row, of

    def _asked(self, operation: str, view: Callable[[Call], dict[str, Any]]) -> Take:
        async def ask(call: Call) -> dict[str, Any]:
            return view(call)

        return self._planned(operation, ask)

    def _planned(self, operation: str, deed: Callable[[Call], Awaitable[dict[str, Any]]]) -> Take:
        async def take(call: Call) -> Response:
            way = self._collecting.plan_for(call, operation)
            return await self._answered(way, lambda: deed(call))

        return take

    async def _answered(self, way: Plan, deed: Callable[[], Awaitable[dict[str, Any]]]) -> Response:
        async def take() -> Response:
            return JSONResponse(await deed())

        def refusal(status: int) -> Response:
            planned = way.details.get("refuse")
            return Refused(*planned).response() if planned else refuse(status)

        return await self.answer(way, take, refusal)

    def _endpoint(self, take: Take) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                account = self._account(request)
                body = read_body(await request.body()) if request.method == "POST" else {}
                home = f"{str(request.base_url).rstrip('/')}/{self.code}"
                return await take(Call(account, body, request.path_params, request.query_params, home))
            except Refused as refusal:
                return refusal.response()

        return handle

    def _account(self, request: Request) -> Account:
        account = self.accounts.of_bearer(request.headers.get("authorization", ""))
        if account is None or ENDED in account.details:
            raise Refused(401, "Invalid key")
        return account

    async def _show_page(self, request: Request) -> Response:
        for row in self._transactions:
            if row.access_code == request.path_params["access_code"]:
                back = f"{row.callback_url}?trxref={row.reference}&reference={row.reference}"
                link = f'<p><a href="{escape(back)}">Back to the shop</a></p>' if row.callback_url else ""
                body = f"""<h1>{escape(row.currency)} {row.amount // 100}.{row.amount % 100:02}</h1>
<p>Paystack's page. The payer acts alone, after a moment. Status: {escape(row.status)}.</p>{link}"""
                return HTMLResponse(PAGE.format(title="Pay", body=body))
        return HTMLResponse(PAGE.format(title="Pay", body="<h1>No such page</h1>"), 404)

    def _named(self, given: dict[str, Any]) -> Transaction:
        account = self.accounts.get(str(given.get("key", self.accounts.demo_key)))
        business = "" if account is None else business_of(account)
        row: Transaction | None = self._transactions.get(f"{business}/{given.get('reference')}")
        if row is None:
            raise InvalidInput("reference", "No such transaction.")
        return row

    def _dispute(self, given: dict[str, Any]) -> Dispute:
        row = self._disputes.rows.get(str(given.get("id")))
        if row is None:
            raise InvalidInput("id", "No such dispute.")
        return row


def _minor(subunits: int, currency: str) -> int:
    return int(subunits // 10 ** (SUBUNIT_EXPONENT - Currency(currency).exponent))
