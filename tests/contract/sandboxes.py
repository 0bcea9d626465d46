"""What the sandboxes of Stripe, Paystack and Flutterwave share, as the contract's checks want it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from core.phone import Phone
from integrations.account import Account, Outside
from integrations.contract import CannotStage, Harness, Situation
from integrations.protocol import Intent
from integrations.webhooks import Webhook
from tests.sandbox import RunningSandbox, serving

TENANT: Final = outside(Kind.TENANT, new_id())
PHONE: Final = Phone.parse("+254700000001")

COMMON: Final[Mapping[Situation, str | dict[str, str]]] = {
    Situation.PAID: "success",
    Situation.BUSY: "busy",
    Situation.TIMEOUT_BEFORE: "timeout_before_acceptance",
    Situation.TIMEOUT_AFTER: "timeout_after_acceptance",
    Situation.RESET_BEFORE: "reset_before_acceptance",
    Situation.RESET_AFTER: "reset_after_acceptance",
    Situation.SERVER_ERROR_BEFORE: "server_error_before_acceptance",
    Situation.SERVER_ERROR_AFTER: "server_error_after_acceptance",
    Situation.MALFORMED_BEFORE: "html_before_acceptance",
    Situation.MALFORMED_AFTER: "html",
    Situation.REFUND_TIMEOUT_BEFORE: {"kind": "timeout_before_acceptance", "operation": "refund"},
    Situation.REFUND_TIMEOUT_AFTER: {"kind": "timeout_after_acceptance", "operation": "refund"},
}


@dataclass
class Letterbox:
    """Takes webhooks for many accounts, each under its own path."""

    url: str = ""
    taken: dict[str, list[Webhook]] = field(default_factory=dict)

    async def take(self, request: Request) -> Response:
        webhook = Webhook(await request.body(), dict(request.headers))
        self.taken.setdefault(request.path_params["name"], []).append(webhook)
        return Response(status_code=200)


@asynccontextmanager
async def open_letterbox() -> AsyncIterator[Letterbox]:
    letterbox = Letterbox()
    app = Starlette(routes=[Route("/{name}", letterbox.take, methods=["POST"])])
    async with serving(app) as url:
        letterbox.url = url
        yield letterbox


class SandboxHarness(Harness):
    """Over the sandbox that Stripe, Paystack and Flutterwave share; each harness is an account."""

    secret_name: str
    """Under which the secret of its webhooks is configured."""
    own: Mapping[Situation, str | dict[str, Any]] = {}

    def __init__(self, sandbox: RunningSandbox, outside_: Outside, letterbox: Letterbox) -> None:
        super().__init__()
        self.outside = outside_
        self.sandbox = sandbox
        self.letterbox = letterbox
        self.name = uuid4().hex
        self.key = self.new_key()
        self.webhook_secret = self.new_webhook_secret()
        self.account = Account(
            provider=self.code,
            base_url=sandbox.url_of(self.code),
            paths={},
            details=self.details(),
            secrets={"secret_key": self.key, self.secret_name: self.webhook_secret},
        )

    @property
    def code(self) -> str:
        return self.integration.code

    def new_key(self) -> str:
        return f"sk_test_{uuid4().hex}"

    def new_webhook_secret(self) -> str:
        return f"whsec_{uuid4().hex}"

    def details(self) -> Mapping[str, str | None]:
        return {"public_key": "pk_test_contract"}

    async def open(self) -> "SandboxHarness":
        """Have the sandbox know the account."""
        url = f"{self.letterbox.url}/{self.name}"
        await self.sandbox.register_webhook(self.code, key=self.key, url=url, secret=self.webhook_secret)
        return self

    def intent(self) -> Intent:
        id_ = new_id()
        return Intent(
            payment_id=outside(Kind.PAYMENT, id_),
            tenant=TENANT,
            attempt_key=str(id_),
            amount=Money(150_000, Currency.KES),
            reference="INV1042",
            description="Order 1042",
            phone=PHONE,
            email="jane@example.com",
            return_url="https://shop.example.com/r/1042",
        )

    async def stage(self, situation: Situation) -> None:
        outcome = {**COMMON, **self.own}.get(situation)
        if outcome is None:
            raise CannotStage(f"{self.code} can't be made to: {situation}")
        await self.sandbox.plan(self.code, outcome, key=self.key)

    async def settle(self) -> None:
        await self.sandbox.release_webhooks(self.code)

    async def collected(self, intent: Intent) -> Sequence[Money]:
        return await self._rows("paid", intent)

    async def given_back(self, intent: Intent) -> Sequence[Money]:
        paid = [row for row in await self._own_rows("paid") if row["payment_id"] == intent.payment_id]
        references = {row["reference"] for row in paid}
        return [
            Money(row["amount_minor"], Currency(row["currency"]))
            for row in await self._own_rows("refunded")
            if row["reference"] in references
        ]

    async def webhooks(self) -> Sequence[Webhook]:
        scheme = self.integration.webhooks
        assert scheme is not None
        return [
            replace(each, headers={name: each.headers.get(name, "") for name in scheme.header_names})
            for each in self.letterbox.taken.get(self.name, [])
        ]

    def wrong_account(self) -> Account:
        return replace(self.account, secrets={**self.account.secrets, "secret_key": self.new_key()})

    async def _own_rows(self, which: str) -> list[dict[str, Any]]:
        book = await self.sandbox.book_of(self.code)
        return [row for row in book[which] if row["key"] == self.key]

    async def _rows(self, which: str, intent: Intent) -> Sequence[Money]:
        return [
            Money(row["amount_minor"], Currency(row["currency"]))
            for row in await self._own_rows(which)
            if row["payment_id"] == intent.payment_id
        ]
