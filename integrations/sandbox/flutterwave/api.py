"""Flutterwave's own endpoints, and its hosted page.

Source: Flutterwave v3, sections 1 to 7.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.currency import Currency
from core.errors import InvalidInput
from integrations.sandbox import demo
from integrations.sandbox.accounts import Account
from integrations.sandbox.flutterwave import checks
from integrations.sandbox.flutterwave.outcomes import OUTCOMES
from integrations.sandbox.flutterwave.pages import Pages
from integrations.sandbox.flutterwave.payers import Payers
from integrations.sandbox.flutterwave.reading import Reading
from integrations.sandbox.flutterwave.rows import SUCCESSFUL, Link, Refund, Transaction, minor
from integrations.sandbox.flutterwave.wire import (
    BAD_KEY,
    GENERAL,
    UNAUTHORIZED,
    HashWire,
    Refused,
    charged_json,
    envelope,
    refund_json,
)
from integrations.sandbox.plans import Plan
from integrations.sandbox.provider import Control, Ground, PaidRow, ProviderSandbox, RefundedRow

NO_TRANSACTION: Final = "No transaction was found for this id"
INACTIVE: Final = "This payment link is currently inactive"
Deed = Callable[[Request, Account], Awaitable[Response]]

DEMO: Final = Account(
    demo.DEMO_FLUTTERWAVE_SECRET_KEY,
    {"public_key": demo.DEMO_FLUTTERWAVE_PUBLIC_KEY},
    webhook_secret=demo.DEMO_FLUTTERWAVE_WEBHOOK_HASH,
)


class FlutterwaveSandbox(ProviderSandbox):
    """The endpoints below `/flutterwave`, as below the real one's `/v3`."""

    code: ClassVar[str] = "flutterwave"
    own_outcomes: ClassVar[Mapping[str, Mapping[str, Any]]] = OUTCOMES

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground, [DEMO], HashWire())
        self.transactions = self.keep("transaction", Transaction)
        self.links = self.keep("link", Link)
        self.refunds = self.keep("refund", Refund)
        self.payers = Payers(
            self.settings,
            self.clockwork,
            self.webhooks,
            transactions=self.transactions,
            links=self.links,
            refunds=self.refunds,
        )
        self._reading = Reading(self.plans, self.transactions, self.refunds)
        self._pages = Pages(self.links, self.payers)

    def routes(self) -> list[BaseRoute]:
        deeds: dict[str, Deed] = {
            "/payments": self.make_page,
            "/payments/link/disable": self.disable_page,
            "/charges": self.charge,
            "/transactions/{id}/refund": self.refund,
            "/transactions/{id}/resend-hook": self.resend,
        }
        questions: dict[str, Deed] = {
            "/transactions/verify_by_reference": self._reading.verify_by_reference,
            "/transactions/{id}/verify": self._reading.verify,
            "/transactions": self._reading.transactions,
            "/refunds/{id}": self._reading.refund,
            "/refunds": self._reading.refunds,
            "/balances": self._reading.balances,
            "/balances/{currency}": self._reading.balances,
        }
        return [
            *(Route(path, self._endpoint(deed), methods=["POST"]) for path, deed in deeds.items()),
            *(Route(path, self._endpoint(deed), methods=["GET"]) for path, deed in questions.items()),
            *self._pages.routes(),
        ]

    def own_controls(self) -> Mapping[str, Control]:
        return {"pay": self.pay_page}

    async def pay_page(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"reference", "result": "paid" | "failed", "said"}`: an attempt on the newest page of a tx_ref."""
        found = [link for link in self.links if link.tx_ref == given.get("reference")]
        if not found or not found[-1].is_active:
            raise InvalidInput("reference", "No page of this reference can be paid.")
        row = await self.payers.attempt(found[-1], given.get("result", "paid"), str(given.get("said", "")))
        return {"id": row.id, "status": row.status}

    async def release(self, given: dict[str, Any]) -> dict[str, Any]:
        """Besides telling: payers act now, refunds end, and questions are answered truly again."""
        await self.payers.hurry(given.get("reference"))
        return await super().release(given)

    def paid(self) -> Iterable[PaidRow]:
        for row in self.transactions:
            if row.status == SUCCESSFUL:
                payment_id, cents = row.meta.get("payment_id"), minor(row.amount, _exponent(row.currency))
                yield PaidRow(row.tx_ref, payment_id, cents, row.currency, row.id, row.key)

    def refunded(self) -> Iterable[RefundedRow]:
        for row in self.refunds:
            if not row.has_failed:
                cents = minor(row.amount, _exponent(row.currency))
                yield RefundedRow(row.tx_ref, row.comments or None, cents, row.currency, row.id, row.key)

    def resume(self) -> None:
        self.payers.resume()

    async def make_page(self, request: Request, account: Account) -> Response:
        body = await checks.body_of(request)
        now = self.settings.clock()
        options, customer = checks.payment_options(body), checks.customer(body)
        link = Link(
            id=secrets.token_hex(8),
            key=account.id,
            tx_ref=checks.reference(body),
            amount=checks.amount(body),
            currency=checks.currency(body),
            options=options,
            redirect_url=checks.web_url(body, "redirect_url"),
            customer=customer,
            meta=checks.meta(body),
            ends_at=(now + timedelta(minutes=checks.session_minutes(body))).isoformat(),
            plan={},
        )
        plan = self.plans.next(account.id, "create", tx_ref=link.tx_ref, **_marks(link.meta))
        link.plan = asdict(plan)

        async def take() -> Response:
            self.links.save(link)
            # A page whose address got lost is opened by nobody.
            if plan.webhook == "before_response":
                await self.payers.attempt(link, plan.result, str(plan.details.get("said", "")))
            elif _is_heard(plan):
                self.payers.visit(link)
            return envelope({"link": f"{request.base_url}hosted/pay/{link.id}"}, "Hosted Link")

        return await self._as_planned(plan, take)

    async def disable_page(self, request: Request, account: Account) -> Response:
        address = checks.text(await checks.body_of(request), "link")
        link = self.links.get(address.rpartition("/")[2])
        if link is None or link.key != account.id:
            raise Refused(400, "link is invalid")
        plan = self.plans.next(account.id, "cancel", tx_ref=link.tx_ref)
        if not link.is_active:
            raise Refused(400, INACTIVE)

        async def take() -> Response:
            link.is_active = False
            self.links.save(link)
            return envelope(None, "Payment link disabled")

        return await self._as_planned(plan, take)

    async def charge(self, request: Request, account: Account) -> Response:
        body, kind = await checks.body_of(request), request.query_params.get("type", "")
        checks.charge(kind, body)
        given: dict[str, Any] = {
            "key": account.id,
            "tx_ref": checks.reference(body),
            "amount": checks.amount(body),
            "currency": checks.currency(body),
            "meta": checks.meta(body),
        }
        customer = {"email": checks.email(body), "phone_number": body["phone_number"]}
        plan = self.plans.next(account.id, "create", tx_ref=given["tx_ref"], **_marks(given["meta"]))

        async def take() -> Response:
            row = self.payers.begin(kind, given, {**customer, "name": body.get("fullname")}, plan)
            await self.payers.wait_for(row)
            return _charged(row, plan)

        return await self._as_planned(plan, take)

    async def refund(self, request: Request, account: Account) -> Response:
        body = await checks.body_of(request)
        row = self.transactions.get(request.path_params["id"])
        if row is None or row.key != account.id:
            raise Refused(400, NO_TRANSACTION)
        amount, comments = checks.amount(body), str(body.get("comments") or "")
        plan = self.plans.next(account.id, "refund", tx_ref=row.tx_ref, refund_id=comments)

        async def take() -> Response:
            self._require_rest(row, Decimal(amount))
            given = self.payers.give_back(row, amount, comments, plan)
            return envelope(refund_json(given), "Transaction refund initiated")

        return await self._as_planned(plan, take)

    async def resend(self, request: Request, account: Account) -> Response:
        row = self.transactions.get(request.path_params["id"])
        if row is None or row.key != account.id:
            raise Refused(400, NO_TRANSACTION)
        await self.payers.tell(row)
        return envelope("hook sent", "Hook sent")

    def _require_rest(self, row: Transaction, amount: Decimal) -> None:
        given = [each for each in self.refunds if each.transaction_id == row.id and not each.has_failed]
        rest = Decimal(row.amount) - sum(Decimal(each.amount) for each in given)
        if row.status != SUCCESSFUL or amount > rest:
            raise Refused(400, "Refund amount cannot be greater than the transaction amount")

    async def _as_planned(self, plan: Plan, take: Callable[[], Awaitable[Response]]) -> Response:
        wait_s, status = plan.details.get("wait_s"), plan.details.get("status")
        if status is not None:
            if plan.is_taken:
                await take()
            return Refused(int(status), str(plan.details["message"])).response()
        answer = await self.answer(plan, take, lambda code: Refused(code, GENERAL).response())
        if wait_s:
            await asyncio.sleep(float(wait_s))
        return answer

    def _endpoint(self, deed: Deed) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                return await deed(request, self._authorized(request))
            except Refused as refusal:
                return refusal.response()

        return handle

    def _authorized(self, request: Request) -> Account:
        authorization = request.headers.get("authorization", "")
        account = self.accounts.of_bearer(authorization)
        if account is None:
            raise Refused(401, BAD_KEY if authorization else UNAUTHORIZED)
        return account


def _charged(row: Transaction, plan: Plan) -> Response:
    redirect = plan.details.get("redirect")
    if redirect is None:
        return envelope(charged_json(row), "Charge initiated")
    meta = {"authorization": {"mode": "redirect", "redirect": redirect}}
    data = None if plan.details.get("has_no_data") else charged_json(row)
    return envelope(data, "Charge initiated", meta=meta)


def _is_heard(plan: Plan) -> bool:
    return plan.answer == "normal" and "status" not in plan.details


def _marks(meta: dict[str, Any]) -> dict[str, Any]:
    return {name: meta.get(name) for name in ("payment_id", "tenant")}


def _exponent(currency: str) -> int:
    return Currency(currency).exponent
