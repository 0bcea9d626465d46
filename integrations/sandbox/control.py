"""The control surface: what the next prompts do, and the book."""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import InvalidInput
from integrations.sandbox.apps import App, Apps
from integrations.sandbox.book import Book, ManualPayment, Planned, new_receipt
from integrations.sandbox.daraja import Daraja, TokenError
from integrations.sandbox.daraja_keys import CERTIFICATE
from integrations.sandbox.daraja_operator import DarajaOperator
from integrations.sandbox.daraja_plans import parse_operator_outcome
from integrations.sandbox.daraja_pull import DarajaPull
from integrations.sandbox.journal import Journal
from integrations.sandbox.outcomes import parse_outcome
from integrations.sandbox.payer import Payers, stamp
from integrations.sandbox.provider import ProviderSandbox, endpoint
from integrations.sandbox.settings import SandboxSettings

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Control:
    """Endpoints below `/_control`, for tests and developers; none of them is Daraja's."""

    def __init__(
        self,
        *,
        settings: SandboxSettings,
        apps: Apps,
        book: Book,
        payers: Payers,
        daraja: Daraja,
        operator: DarajaOperator,
        pull: DarajaPull,
        journal: Journal,
        others: Sequence[ProviderSandbox],
    ) -> None:
        self._settings = settings
        self._apps = apps
        self._book = book
        self._payers = payers
        self._daraja = daraja
        self._operator = operator
        self._pull = pull
        self._journal = journal
        self._others = others

    def routes(self) -> list[BaseRoute]:
        posts: dict[str, Handler] = {
            "/mpesa/next": self.plan,
            "/mpesa/apps": self.register_app,
            "/mpesa/c2b": self.pay_by_hand,
            "/mpesa/release": self.release,
            "/mpesa/tokens": self.end_tokens,
            "/reset": self.reset,
        }
        return [
            *(Route(path, endpoint(handler), methods=["POST"]) for path, handler in posts.items()),
            Route("/mpesa/book", self.show_book, methods=["GET"]),
            Route("/mpesa/certificate", self.show_certificate, methods=["GET"]),
        ]

    async def plan(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"outcomes": [...], "short_code": …, "phone": …}`: one prompt each, in this order.

        With `operation`, beside or inside the outcomes, one request of an operator each.
        """
        outcomes = given.get("outcomes")
        if not isinstance(outcomes, list):
            raise InvalidInput("outcomes", "Give a list of outcomes.")
        if "operation" in given or any(
            isinstance(entry, dict) and "operation" in entry for entry in outcomes
        ):
            return self._plan_operator(outcomes, given)
        planned = [
            Planned(parse_outcome(entry), given.get("short_code"), given.get("phone")) for entry in outcomes
        ]
        for entry in planned:
            self._book.plan(entry)
        return {"planned": len(planned)}

    def _plan_operator(self, outcomes: list[Any], given: dict[str, Any]) -> dict[str, Any]:
        operation = str(given.get("operation", "reversal"))
        planned = [parse_operator_outcome(entry, operation) for entry in outcomes]
        for outcome in planned:
            self._operator.plans.add(outcome, given.get("short_code"), given.get("subject"))
        return {"planned": len(planned)}

    async def register_app(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"consumer_key", "consumer_secret", "short_codes": [{"code", "passkey", "kind", "party_b"}]}`."""
        app = App.of(given)
        self._apps.register(app)
        return {"registered": app.consumer_key, "short_codes": list(app.short_codes)}

    async def pay_by_hand(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"short_code", "amount", "phone", "reference"}`; `receipt`, `masking` and `validate` if wanted."""
        payment = ManualPayment(
            receipt=str(given.get("receipt") or new_receipt()),
            short_code=str(given.get("short_code", "")),
            phone=str(given.get("phone", "")).removeprefix("+"),
            amount=_shillings(given.get("amount")),
            reference=str(given.get("reference") or ""),
            paid_at=stamp(self._settings.clock()),
        )
        masking = str(given.get("masking", "masked"))
        if given.get("validate") and not await self._payers.is_welcome(payment, masking):
            return {"receipt": None, "told": ["validation: refused"]}
        await self._payers.pay_by_hand(payment, masking)
        return {"receipt": payment.receipt, "told": payment.told}

    async def release(self, given: dict[str, Any]) -> dict[str, Any]:
        """Tell now what is late or withheld: of one `id` or `reference`, or of all."""
        released = [
            request
            for request in self._book.requests.values()
            if given.get("id", request.id) == request.id
            and given.get("reference", request.reference) == request.reference
        ]
        for request in released:
            await self._payers.release(request)
        told = {request.id: request.told for request in released}
        subject = given.get("id") or given.get("reference")
        return {"told": {**told, **await self._operator.operators.release(subject)}}

    async def end_tokens(self, given: dict[str, Any]) -> dict[str, Any]:
        """End every token; `error` `{"status", "code", "message"}` sets how ended tokens are refused.

        `outcomes` are those of the next questions for a token, as of prompts.
        """
        self._daraja.token_answers.extend([parse_outcome(entry) for entry in given.get("outcomes", [])])
        try:
            self._daraja.token_error = TokenError(**given.get("error", {}))
        except TypeError as error:
            raise InvalidInput("error", "An error has status, code and message.") from error
        self._apps.end_tokens()
        return {}

    async def reset(self, given: dict[str, Any]) -> dict[str, Any]:
        """Forget everything but what every sandbox knows."""
        for each in self._others:
            await each.stop()
            each.reset()
        await self._payers.stop()
        await self._operator.operators.stop()
        self._book.reset()
        self._operator.reset()
        self._pull.reset()
        self._apps.reset()
        self._journal.clear()
        self._daraja.token_error = TokenError()
        self._daraja.token_answers.clear()
        return {}

    async def show_book(self, request: Request) -> Response:
        return JSONResponse({**self._book.as_json(), **self._operator.operators.as_json()})

    async def show_certificate(self, request: Request) -> Response:
        return PlainTextResponse(CERTIFICATE)


def _shillings(amount: object) -> str:
    try:
        shillings = Decimal(str(amount))
    except InvalidOperation as error:
        raise InvalidInput("amount", "An amount looks like 1000 or 1000.50.") from error
    if not shillings.is_finite() or shillings <= 0 or shillings != round(shillings, 2):
        raise InvalidInput("amount", "An amount is positive, with at most two decimal places.")
    return f"{shillings:.2f}"
