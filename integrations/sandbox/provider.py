"""What the sandboxes of Stripe, Paystack and Flutterwave share."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import InvalidInput
from integrations.sandbox.accounts import Account, Accounts
from integrations.sandbox.clockwork import Clockwork
from integrations.sandbox.journal import Journal
from integrations.sandbox.plans import Plan, Plans
from integrations.sandbox.posting import Poster
from integrations.sandbox.records import Records
from integrations.sandbox.refusals import Dropped, Hanging
from integrations.sandbox.settings import SandboxSettings
from integrations.sandbox.webhooks import Webhooks, Wire

Control = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Takes the JSON that was posted, gives the JSON of the answer; raises InvalidInput."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all providers of one sandbox stand on."""

    settings: SandboxSettings
    journal: Journal
    poster: Poster


@dataclass(frozen=True, slots=True)
class PaidRow:
    """Money that a payer paid, for the oracle."""

    reference: str
    """What the adapter keeps: `pi_…`, Paystack's reference, Flutterwave's tx_ref."""
    payment_id: str | None
    """Ours, where it was sent along."""
    amount_minor: int
    """In the minor unit of `core.currency`, whatever the provider counts in."""
    currency: str
    receipt: str
    """The provider's name of the money."""
    key: str
    """The account's secret key."""


@dataclass(frozen=True, slots=True)
class RefundedRow:
    """Money that was given back, for the oracle."""

    reference: str
    """Of the payment."""
    refund_id: str | None
    """Ours, where it was sent along."""
    amount_minor: int
    currency: str
    receipt: str
    """The provider's name of the refund."""
    key: str


class ProviderSandbox(ABC):
    """One provider: its API below `/{code}`, its controls below `/_control/{code}`.

    A subclass makes its records with `self.keep(kind, of)` and starts what takes time on
    `self.clockwork`; both then survive a restart if `resume` says how to go on.
    """

    code: ClassVar[str]
    own_outcomes: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """The provider's own outcomes by name, besides `plans.COMMON`."""

    def __init__(self, ground: Ground, demo: Sequence[Account], wire: Wire) -> None:
        self.settings = ground.settings
        self.accounts = Accounts(ground.journal, self.code, demo)
        self.plans = Plans(self.own_outcomes)
        self.clockwork = Clockwork()
        self.webhooks = Webhooks(
            self.code,
            wire,
            self.accounts,
            settings=ground.settings,
            journal=ground.journal,
            poster=ground.poster,
        )
        self._journal = ground.journal
        self._kept: list[Records[Any]] = [self.webhooks.messages]

    def keep(self, kind: str, of: Callable[..., Any]) -> Records[Any]:
        """Records of one dataclass that has an `id`: loaded, saved and reset with the rest."""
        records: Records[Any] = Records(self._journal, f"{self.code}.{kind}", of)
        self._kept.append(records)
        return records

    @abstractmethod
    def routes(self) -> list[BaseRoute]:
        """The provider's own API."""

    @abstractmethod
    def paid(self) -> Iterable[PaidRow]: ...

    @abstractmethod
    def refunded(self) -> Iterable[RefundedRow]: ...

    @abstractmethod
    def resume(self) -> None:
        """Go on with what a restart cut off; the webhooks go on by themselves."""

    def own_controls(self) -> Mapping[str, Control]:
        """POST endpoints of this provider alone, by path below `/_control/{code}`."""
        return {}

    def home(self) -> str:
        """One list item of HTML for the sandbox's page."""
        return f"<li>{self.code.title()}'s API is below <code>/{self.code}</code>.</li>"

    def controls(self) -> list[BaseRoute]:
        posts: dict[str, Control] = {
            "next": self.plan_next,
            "accounts": self.register,
            "webhook": self.register,
            "release": self.release,
            **self.own_controls(),
        }
        return [
            *(Route(f"/{name}", endpoint(control), methods=["POST"]) for name, control in posts.items()),
            Route("/book", self._show_book, methods=["GET"]),
        ]

    async def plan_next(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"outcomes": [...], "key": …, "where": {…}}`: one call each, in this order."""
        outcomes, where = given.get("outcomes"), given.get("where") or {}
        if not isinstance(outcomes, list) or not isinstance(where, dict):
            raise InvalidInput("outcomes", "Give a list of outcomes, and an object for where.")
        self.plans.add(outcomes, str(given.get("key") or self.accounts.demo_key), where)
        return {"planned": len(outcomes)}

    async def register(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"key", "details", "url", "secret"}`: know an account, and where its webhooks go."""
        account = self.accounts.register({"key": self.accounts.demo_key, **given})
        return {"registered": account.id, "url": account.webhook_url}

    async def release(self, given: dict[str, Any]) -> dict[str, Any]:
        """Tell now what is late, withheld, lost or was forged: of one `reference`, or of all."""
        return {"told": await self.webhooks.release(given.get("reference"))}

    def load(self, records: dict[str, dict[str, dict[str, Any]]]) -> None:
        self.accounts.load(records)
        for kept in self._kept:
            kept.load(records)
        self.resume()
        self.webhooks.resume()

    async def stop(self) -> None:
        await self.clockwork.stop()
        await self.webhooks.stop()

    def reset(self) -> None:
        """Forget all but the demo accounts; the journal is cleared by whoever resets all."""
        self.accounts.reset()
        self.plans.reset()
        for kept in self._kept:
            kept.reset()

    def book(self) -> dict[str, Any]:
        """The oracle: what was paid and given back, and what was told of it."""
        return {
            "paid": [asdict(row) for row in self.paid()],
            "refunded": [asdict(row) for row in self.refunded()],
            "webhooks": self.webhooks.messages.as_json(),
            "planned": self.plans.as_json(),
        }

    async def answer(
        self,
        plan: Plan,
        take: Callable[[], Awaitable[Response]],
        refuse: Callable[[int], Response],
    ) -> Response:
        """Answer a call as planned: `take` has its effect, `refuse` makes the body of 429, 500 and 503."""
        taken = await take() if plan.is_taken else None
        match plan.answer:
            case "hang":
                return Hanging(self.settings.hang_s)
            case "drop":
                return Dropped()
            case "html":
                return HTMLResponse("<html><body><h1>Service Temporarily Unavailable</h1></body></html>")
            case "429" | "500" | "503":
                return refuse(int(plan.answer))
        return taken or refuse(503)

    async def _show_book(self, _: Request) -> Response:
        return JSONResponse(self.book())


def endpoint(control: Control) -> Callable[[Request], Awaitable[Response]]:
    """A control as an HTTP endpoint that takes and gives JSON objects."""

    async def handle(request: Request) -> Response:
        try:
            return JSONResponse(await control(await _object_of(request)))
        except InvalidInput as error:
            return JSONResponse({"error": error.message, "field": error.field}, 400)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)

    return handle


async def _object_of(request: Request) -> dict[str, Any]:
    given = await request.json() if await request.body() else {}
    if not isinstance(given, dict):
        raise InvalidInput("body", "Send a JSON object.")
    return given
