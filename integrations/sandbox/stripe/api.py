"""Stripe's sandbox: its routes, its keys, its book."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from html import escape
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from integrations.sandbox import demo
from integrations.sandbox.accounts import Account
from integrations.sandbox.plans import Plan
from integrations.sandbox.provider import Control, Ground, PaidRow, ProviderSandbox, RefundedRow
from integrations.sandbox.stripe.calls import Call, Idempotency, StoredAnswer, answered, server_error
from integrations.sandbox.stripe.forms import Form, read_form
from integrations.sandbox.stripe.intents import IntentsApi, page
from integrations.sandbox.stripe.objects import Dispute, PaymentIntent, Refund, is_live_key, minor_of
from integrations.sandbox.stripe.outcomes import OWN
from integrations.sandbox.stripe.payers import Payers
from integrations.sandbox.stripe.refunds import RefundsApi
from integrations.sandbox.stripe.refusals import StripeError, invalid
from integrations.sandbox.stripe.wire import API_VERSION, StripeWire

Handle = Callable[[Call], Awaitable[dict[str, Any]]]
Operation = tuple[str, Handle]
"""What plans call it, and what does it."""

DEMO: Final = Account(
    demo.DEMO_STRIPE_SECRET_KEY,
    {"publishable_key": demo.DEMO_STRIPE_PUBLISHABLE_KEY},
    webhook_secret=demo.DEMO_STRIPE_WEBHOOK_SECRET,
)


class StripeSandbox(ProviderSandbox):
    """The endpoints over one book."""

    code: ClassVar[str] = "stripe"
    own_outcomes: ClassVar[Mapping[str, Mapping[str, Any]]] = OWN

    def __init__(self, ground: Ground) -> None:
        clock = ground.settings.clock
        super().__init__(ground, [DEMO], StripeWire(clock))
        self._intents = self.keep("intent", PaymentIntent)
        self._refunds = self.keep("refund", Refund)
        disputes = self.keep("dispute", Dispute)
        self._idempotency = Idempotency(self.keep("answer", StoredAnswer))
        think_time_s = ground.settings.think_time_s
        self._payers = Payers(self._intents, self.webhooks, self.clockwork, clock, think_time_s=think_time_s)
        self._intents_api = IntentsApi(self._intents, self._payers, self.clockwork, clock)
        self._refunds_api = RefundsApi(
            self._intents,
            self._refunds,
            disputes,
            webhooks=self.webhooks,
            clockwork=self.clockwork,
            clock=clock,
            think_time_s=think_time_s,
        )

    def routes(self) -> list[BaseRoute]:
        intents, refunds = self._intents_api, self._refunds_api
        calls: list[tuple[str, str, str, Handle]] = [
            ("POST", "/v1/payment_intents", "create", intents.create),
            ("GET", "/v1/payment_intents", "list", intents.list),
            ("GET", "/v1/payment_intents/search", "search", intents.search),
            ("GET", "/v1/payment_intents/{id}", "query", intents.retrieve),
            ("POST", "/v1/payment_intents/{id}/confirm", "confirm", intents.confirm),
            ("POST", "/v1/payment_intents/{id}/capture", "capture", intents.capture),
            ("POST", "/v1/payment_intents/{id}/cancel", "cancel", intents.cancel),
            ("POST", "/v1/refunds", "refund", refunds.create),
            ("GET", "/v1/refunds", "list_refunds", refunds.list),
            ("GET", "/v1/refunds/{id}", "query_refund", refunds.retrieve),
            ("GET", "/v1/balance", "balance", self._balance),
            ("GET", "/v1/balance_transactions", "balance_transactions", self._balance_transactions),
            ("GET", "/v1/account", "account", self._account),
        ]
        return [
            *(
                Route(path, self._endpoint((operation, handle)), methods=[method])
                for method, path, operation, handle in calls
            ),
            Route("/3ds/{id}", self._authenticate, methods=["GET"]),
            Route("/{path:path}", self._no_such_path, methods=["GET", "POST", "DELETE"]),
        ]

    def own_controls(self) -> Mapping[str, Control]:
        return {
            "act": self._intents_api.act,
            "dispute": self._refunds_api.dispute,
            "refund": self._refunds_api.finish,
        }

    async def release(self, given: dict[str, Any]) -> dict[str, Any]:
        """Have payers and refunds take their next step now, and tell all that is to be told."""
        reference = given.get("reference")
        for intent in self._intents:
            if reference in (None, intent.id):
                await self.clockwork.hurry(intent.id)
                intent.is_released = True
                self._intents.save(intent)
        for refund in self._refunds:
            if reference in (None, refund.payment_intent):
                await self.clockwork.hurry(refund.id)
        return await super().release(given)

    def resume(self) -> None:
        self._payers.resume()
        self._refunds_api.resume()

    def paid(self) -> Iterator[PaidRow]:
        for intent in self._intents:
            if intent.amount_received:
                yield PaidRow(
                    reference=intent.id,
                    payment_id=intent.metadata.get("payment_id"),
                    amount_minor=minor_of(intent.amount_received, intent.currency),
                    currency=intent.currency.upper(),
                    receipt=intent.latest_charge,
                    key=intent.key,
                )

    def refunded(self) -> Iterator[RefundedRow]:
        for refund in self._refunds:
            if refund.status == "succeeded":
                yield RefundedRow(
                    reference=refund.payment_intent,
                    refund_id=refund.metadata.get("refund_id"),
                    amount_minor=minor_of(refund.amount, refund.currency),
                    currency=refund.currency.upper(),
                    receipt=refund.id,
                    key=refund.key,
                )

    def book(self) -> dict[str, Any]:
        return {**super().book(), "intents": self._intents.as_json(), "refunds": self._refunds.as_json()}

    def home(self) -> str:
        names = ", ".join(f"<code>{escape(name)}</code>" for name in self.plans.names)
        return f"""<li>Stripe's API is below <code>/stripe</code>, with secret key
<code>{demo.DEMO_STRIPE_SECRET_KEY}</code>, publishable key <code>{demo.DEMO_STRIPE_PUBLISHABLE_KEY}</code>
and webhook secret <code>{demo.DEMO_STRIPE_WEBHOOK_SECRET}</code>.
<a href="/_control/stripe/book">Its book</a>. Outcomes: {names}.</li>"""

    def _endpoint(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            try:
                account = self._authorized(request)
                if request.method == "GET":
                    form = read_form(request.url.query.encode())
                    return await self._once(operation, account, form, request)
                return await self._at_most_once(operation, account, request)
            except StripeError as error:
                return error.response()

        return serve

    async def _at_most_once(self, operation: Operation, account: Account, request: Request) -> Response:
        """Answer a POST; with a key that was used before, as before."""
        body = await request.body()
        content_type = request.headers.get("content-type", "application/x-www-form-urlencoded")
        if content_type.partition(";")[0] != "application/x-www-form-urlencoded":
            raise invalid("Send the parameters form-encoded.")
        key, path = request.headers.get("idempotency-key"), request.url.path
        if key is None:
            return await self._once(operation, account, read_form(body), request)
        earlier = self._idempotency.earlier(account, key, path, body)
        if earlier is not None:
            return earlier

        def keep(response: Response) -> None:
            self._idempotency.store(account, key, path, body, response)

        with self._idempotency.at_work(account, key):
            return await self._once(operation, account, read_form(body), request, keep)

    async def _once(
        self,
        operation: Operation,
        account: Account,
        form: Form,
        request: Request,
        keep: Callable[[Response], None] = lambda _: None,
    ) -> Response:
        id_ = request.path_params.get("id", "")
        name, handle = operation
        plan = self.plans.next(account.id, name, **self._facts(form, id_))
        if plan.result == "refused":
            raise _refusal(plan)
        key = request.headers.get("idempotency-key")
        base_url = f"{str(request.base_url).rstrip('/')}{request.scope['root_path']}"
        call = Call(account, form, plan, id_, key, base_url)

        async def take() -> Response:
            try:
                response = answered(200, await handle(call))
            except StripeError as error:
                if not error.is_stored:
                    raise
                response = error.response()
            # Stripe repeats its own failures too; what was lost on the way it does not know of.
            is_failed = plan.answer in ("500", "503")
            keep(answered(int(plan.answer), _FAILURE) if is_failed else response)
            return response

        return await self.answer(plan, take, server_error)

    def _facts(self, form: Form, id: str) -> dict[str, object]:
        """What `where` of a plan may name."""
        given = form.get("metadata")
        written = given if isinstance(given, dict) else {}
        reference = id or form.get("payment_intent")
        intent = self._intents.get(str(reference))
        known = {} if intent is None else intent.metadata
        return {"reference": reference, "amount": form.get("amount"), **known, **written}

    def _authorized(self, request: Request) -> Account:
        account = self.accounts.of_bearer(request.headers.get("authorization", ""))
        if account is None:
            given = request.headers.get("authorization", "").rpartition(" ")[2]
            raise StripeError(401, "invalid_request_error", f"Invalid API Key provided: {given[:12]}****")
        version = request.headers.get("stripe-version", API_VERSION)
        if version != API_VERSION:
            raise invalid(f"Invalid Stripe API version: {version}")
        return account

    async def _balance(self, call: Call) -> dict[str, Any]:
        if call.account.details.get("restricted"):
            raise StripeError(403, "invalid_request_error", "The key has not the permission to read this.")
        sums = [{"amount": 0, "currency": "usd"}]
        is_live = is_live_key(call.account.id)
        return {"object": "balance", "available": sums, "livemode": is_live, "pending": sums}

    async def _account(self, call: Call) -> dict[str, Any]:
        details = call.account.details
        if details.get("restricted"):
            raise StripeError(403, "invalid_request_error", "The key has not the permission to read this.")
        return {
            "id": "acct_1Qsandbox",
            "object": "account",
            "charges_enabled": details.get("charges_enabled") != "false",
            "country": details.get("country", "GB"),
            "default_currency": "usd",
            "payouts_enabled": True,
        }

    async def _balance_transactions(self, call: Call) -> dict[str, Any]:
        rows = [
            each.fee_json(f"txn_{each.latest_charge[3:]}")
            for each in self._intents
            if each.key == call.account.id and each.amount_received
        ]
        return page(call, rows[::-1])

    async def _authenticate(self, request: Request) -> Response:
        """The bank's page: whoever opens it has confirmed."""
        id_ = request.path_params["id"]
        try:
            await self._intents_api.act({"reference": id_})
        except ValueError:
            return HTMLResponse("<h1>Nothing waits for you here.</h1>", 404)
        intent = self._intents.get(id_)
        if intent is None or intent.return_url is None:
            return HTMLResponse("<h1>Confirmed.</h1>")
        mark = "&" if "?" in intent.return_url else "?"
        back = f"payment_intent={id_}&payment_intent_client_secret={intent.client_secret}"
        return RedirectResponse(f"{intent.return_url}{mark}{back}", 303)

    async def _no_such_path(self, request: Request) -> Response:
        return StripeError(
            404, "invalid_request_error", f"Unrecognized request URL ({request.method}: {request.url.path})."
        ).response()


_FAILURE: Final = {"error": {"type": "api_error", "message": "An error occurred."}}


def _refusal(plan: Plan) -> StripeError:
    details = plan.details
    return StripeError(
        details["status"], details["type"], f"Refused as planned: {plan.kind}.", code=details["code"]
    )
