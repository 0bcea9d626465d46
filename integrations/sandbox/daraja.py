"""Daraja's own endpoints: token, STK push, STK query, C2B registration and simulation.

Source: M-Pesa Daraja, sections 1 to 3.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from integrations.sandbox import checks
from integrations.sandbox.apps import App, Apps, KnownShortCode
from integrations.sandbox.book import Book, ManualPayment, RegisteredUrls, StkRequest, new_receipt
from integrations.sandbox.daraja_operator import DarajaOperator
from integrations.sandbox.daraja_pull import DarajaPull
from integrations.sandbox.outcomes import QUERY_ERRORS, Outcome, description_of
from integrations.sandbox.payer import Payers, stamp
from integrations.sandbox.refusals import Refused, bad_field, troubled
from integrations.sandbox.settings import SandboxSettings

NOT_PERMITTED: Final = "2028"
TOKEN_LIFETIME_S: Final = "3599"  # noqa: S105 - a time
WORKING: Final = "The service request is being processed"

Answer = Callable[[dict[str, Any], App], Awaitable[Response]]


@dataclass(slots=True)
class TokenError:
    """How a token that is not valid is refused; Daraja has several ways."""

    status: int = 404
    code: str = "404.001.03"
    message: str = "Invalid Access Token"


class Daraja:
    """The endpoints over one book."""

    def __init__(
        self,
        settings: SandboxSettings,
        *,
        apps: Apps,
        book: Book,
        payers: Payers,
        operator: DarajaOperator,
        pull: DarajaPull,
    ) -> None:
        self._settings = settings
        self._apps = apps
        self._book = book
        self._payers = payers
        self._operator = operator
        self._pull = pull
        self.token_error = TokenError()
        self.token_answers: deque[Outcome] = deque()
        """How the next questions for a token go."""

    def routes(self) -> list[BaseRoute]:
        posts: dict[str, Answer] = {
            "/mpesa/stkpush/v1/processrequest": self.push,
            "/mpesa/stkpushquery/v1/query": self.query,
            "/mpesa/c2b/v1/registerurl": self.register_urls,
            "/mpesa/c2b/v2/registerurl": self.register_urls,
            "/mpesa/c2b/v1/simulate": self.simulate,
            "/mpesa/c2b/v2/simulate": self.simulate,
            "/pulltransactions/v1/register": self._pull.register,
            "/pulltransactions/v1/query": self._pull.query,
            **self._operator.posts(),
        }
        return [
            Route("/oauth/v1/generate", self.generate_token, methods=["GET"]),
            *(Route(path, self._endpoint(answer), methods=["POST", "GET"]) for path, answer in posts.items()),
            Route("/{path:path}", self.no_such_path, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
        ]

    async def generate_token(self, request: Request) -> Response:
        if self.token_answers:
            way = self.token_answers.popleft()
            refusal = Refused(way.status, way.error_code, way.error_message)
            trouble = troubled(way.answer, refusal, self._settings.hang_s)
            if trouble is not None:
                return trouble
        authorization = request.headers.get("authorization", "")
        if not authorization.startswith("Basic "):
            return Refused(400, "400.008.01", "Invalid Authentication passed").response()
        if request.query_params.get("grant_type") != "client_credentials":
            return Refused(400, "400.008.02", "Invalid grant type passed").response()
        token = self._apps.issue_token(authorization)
        if token is None:
            return Response(status_code=400)
        return JSONResponse({"access_token": token, "expires_in": TOKEN_LIFETIME_S})

    async def no_such_path(self, request: Request) -> Response:
        return Refused(404, "404.001.01", "Resource not found").response()

    async def push(self, body: dict[str, Any], app: App) -> Response:
        known, request = self._read_push(body, app)
        outcome = self._book.next_outcome(known.code, request.phone)
        if outcome.answer == "accept" and (request.party_b, request.transaction_type) != (
            known.payee,
            known.transaction_type,
        ):
            outcome = replace(outcome, result_code=NOT_PERMITTED)
        request.outcome = asdict(outcome)
        if outcome.is_taken:
            self._book.save(request)
            self._payers.ask(request)
        if outcome.is_taken and outcome.callback == "before_response":
            await self._payers.finished(request)
        return self._answer_push(request, outcome)

    async def query(self, body: dict[str, Any], app: App) -> Response:
        checks.require_merchant(body, app, self._settings.clock(), self._settings.timestamp_tolerance)
        checkout_id = body.get("CheckoutRequestID")
        if not isinstance(checkout_id, str) or not checkout_id:
            raise bad_field("CheckoutRequestID")
        request = self._book.requests.get(checkout_id)
        if request is None:
            raise Refused(*QUERY_ERRORS["unknown"])
        word = self._book.query_word(request)
        refusal = Refused(*QUERY_ERRORS[word]) if word in QUERY_ERRORS else Refused(200, "", "")
        trouble = troubled("error" if word in QUERY_ERRORS else word, refusal, self._settings.hang_s)
        if trouble is not None:
            return trouble
        is_pending = word == "pending"
        code = "4999" if is_pending or request.result_code is None else request.result_code
        return JSONResponse(
            {
                "ResponseCode": "0",
                "ResponseDescription": "The service request has been accepted successsfully",
                "MerchantRequestID": request.merchant_request_id,
                "CheckoutRequestID": request.id,
                "ResultCode": code,
                "ResultDesc": WORKING if code == "4999" else description_of(code),
            }
        )

    async def register_urls(self, body: dict[str, Any], app: App) -> Response:
        known = self._own_code(body, app)
        if body.get("ResponseType") not in ("Completed", "Cancelled"):
            raise bad_field("ResponseType")
        urls = RegisteredUrls(
            str(body["ShortCode"]),
            checks.require_url(body, "ConfirmationURL"),
            checks.require_url(body, "ValidationURL"),
            str(body["ResponseType"]),
        )
        if known.has_final_urls and urls.short_code in self._book.urls:
            raise Refused(500, "500.003.1001", "Urls are already registered")
        self._book.save(urls)
        # The misspelled key is Daraja's.
        return JSONResponse(
            {"OriginatorCoversationID": "7619-1", "ResponseCode": "0", "ResponseDescription": "Success"}
        )

    async def simulate(self, body: dict[str, Any], app: App) -> Response:
        known = self._own_code(body, app)
        if body.get("CommandID") != known.transaction_type:
            raise bad_field("CommandID")
        payment = ManualPayment(
            receipt=new_receipt(),
            short_code=str(body["ShortCode"]),
            phone=checks.require_phone(body, "Msisdn"),
            amount=f"{checks.require_amount(body)}.00",
            reference=str(body.get("BillRefNumber") or ""),
            paid_at=stamp(self._settings.clock()),
        )
        await self._payers.pay_by_hand(payment, "masked")
        return JSONResponse(
            {
                "OriginatorCoversationID": "7619-2",
                "ResponseCode": "0",
                "ResponseDescription": "Accept the service request successfully.",
            }
        )

    def _endpoint(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                app = self._authorized(request)
                return await answer(await _body_of(request), app)
            except Refused as refusal:
                return refusal.response()

        return handle

    def _authorized(self, request: Request) -> App:
        if request.method != "POST":
            raise Refused(405, "405.001", "Method Not Allowed")
        app = self._apps.app_of(request.headers.get("authorization", ""))
        if app is None:
            error = self.token_error
            raise Refused(error.status, error.code, error.message)
        return app

    def _own_code(self, body: dict[str, Any], app: App) -> KnownShortCode:
        code = checks.require_code(body, "ShortCode")
        for known in app.short_codes.values():
            if code in (known.code, known.payee):
                return known
        raise bad_field("ShortCode")

    def _read_push(self, body: dict[str, Any], app: App) -> tuple[KnownShortCode, StkRequest]:
        now = self._settings.clock()
        known = checks.require_merchant(body, app, now, self._settings.timestamp_tolerance)
        phone = checks.require_phone(body, "PhoneNumber")
        checks.require_phone(body, "PartyA")
        checkout_id = self._book.new_checkout_id(phone, now)
        return known, StkRequest(
            id=checkout_id,
            merchant_request_id=f"{checkout_id[6:10]}-{checkout_id[-15:-9]}-1",
            short_code=known.code,
            transaction_type=checks.require_transaction_type(body),
            party_b=checks.require_code(body, "PartyB"),
            phone=phone,
            amount=checks.require_amount(body),
            reference=checks.require_reference(body),
            description=checks.require_description(body),
            callback_url=checks.require_url(body, "CallBackURL"),
            taken_at=now.isoformat(),
            outcome={},
        )

    def _answer_push(self, request: StkRequest, outcome: Outcome) -> Response:
        refusal = Refused(outcome.status, outcome.error_code, outcome.error_message)
        trouble = troubled(outcome.answer, refusal, self._settings.hang_s)
        if trouble is not None:
            return trouble
        if outcome.answer == "declined":
            return JSONResponse({"ResponseCode": "1", "ResponseDescription": "The request was not accepted"})
        accepted = "Success. Request accepted for processing"
        return JSONResponse(
            {
                "MerchantRequestID": request.merchant_request_id,
                "CheckoutRequestID": request.id,
                "ResponseCode": "0",
                "ResponseDescription": accepted,
                "CustomerMessage": accepted,
            }
        )


async def _body_of(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as error:
        raise Refused(400, "400.002.05", "Invalid Request Payload") from error
    if not isinstance(body, dict):
        raise Refused(400, "400.002.05", "Invalid Request Payload")
    return body
