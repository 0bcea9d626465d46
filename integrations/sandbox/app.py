"""Puts the sandbox together."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from html import escape
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

from integrations.sandbox import demo
from integrations.sandbox.apps import Apps
from integrations.sandbox.book import Book
from integrations.sandbox.control import Control
from integrations.sandbox.daraja import Daraja
from integrations.sandbox.daraja_operator import DarajaOperator
from integrations.sandbox.daraja_plans import RESULTS as OPERATOR_RESULTS
from integrations.sandbox.daraja_plans import WAYS as OPERATOR_WAYS
from integrations.sandbox.daraja_pull import DarajaPull
from integrations.sandbox.flutterwave.api import FlutterwaveSandbox
from integrations.sandbox.journal import Journal
from integrations.sandbox.mailbox import PAGE, Mailbox
from integrations.sandbox.operators import Operators
from integrations.sandbox.outcomes import RESULTS, WAYS
from integrations.sandbox.payer import Payers
from integrations.sandbox.paystack.api import PaystackSandbox
from integrations.sandbox.posting import Poster
from integrations.sandbox.provider import Ground, ProviderSandbox
from integrations.sandbox.settings import SandboxSettings
from integrations.sandbox.stripe.api import StripeSandbox

PROVIDERS: Final[tuple[Callable[[Ground], ProviderSandbox], ...]] = (
    FlutterwaveSandbox,
    PaystackSandbox,
    StripeSandbox,
)


def create_sandbox(settings: SandboxSettings) -> Starlette:
    """The sandbox as an ASGI application; its lifespan opens the mailbox and goes on with its book.

    Serve it on loopback only: whoever reaches it may pay anything. Its base URL for the adapter is
    `{sandbox_url}/mpesa`. The mailbox's port is `app.state.mailbox.port`.
    """
    sandbox = _Sandbox(settings)
    app = Starlette(
        routes=[
            Route("/", sandbox.show_home),
            *sandbox.mailbox.routes(),
            *(Mount(f"/_control/{each.code}", routes=each.controls()) for each in sandbox.providers),
            Mount("/_control", routes=sandbox.control.routes()),
            *(Mount(f"/{each.code}", routes=each.routes()) for each in sandbox.providers),
            Mount("/mpesa", routes=sandbox.daraja.routes()),
        ],
        lifespan=sandbox.lifespan,
    )
    app.state.mailbox = sandbox.mailbox
    return app


class _Sandbox:
    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._journal = Journal(settings.book_path)
        self._apps, self._book = Apps(self._journal), Book(self._journal)
        self._poster = Poster(settings.callback_timeout_s)
        self._payers = Payers(settings, self._book, self._poster)
        ground = Ground(settings, self._journal, self._poster)
        self.providers = [build(ground) for build in PROVIDERS]
        self._operator = DarajaOperator(
            settings, Operators(settings, self._apps, self._book, self._journal, self._poster)
        )
        pull = DarajaPull(settings, self._book)
        self.daraja = Daraja(
            settings,
            apps=self._apps,
            book=self._book,
            payers=self._payers,
            operator=self._operator,
            pull=pull,
        )
        self.control = Control(
            settings=settings,
            apps=self._apps,
            book=self._book,
            payers=self._payers,
            daraja=self.daraja,
            operator=self._operator,
            pull=pull,
            journal=self._journal,
            others=self.providers,
        )
        self.mailbox = Mailbox(settings.clock, settings.messages_max)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        records = self._journal.load()
        self._apps.load(records.get("app", {}))
        self._book.load(records)
        if self._settings.mail_port is not None:
            await self.mailbox.open(self._settings.mail_host, self._settings.mail_port)
        self._payers.resume()
        self._operator.operators.load(records)
        for each in self.providers:
            each.load(records)
        yield
        for each in self.providers:
            await each.stop()
        await self._operator.operators.stop()
        await self._payers.stop()
        await self.mailbox.close()
        await self._poster.close()
        self._journal.close()

    async def show_home(self, _: Request) -> Response:
        return HTMLResponse(home_page(self.mailbox.port, self.providers))


def home_page(mail_port: int | None, others: Sequence[ProviderSandbox]) -> str:
    """What is there, for a developer who opens the sandbox in a browser."""
    results = ", ".join(f"<code>{escape(name)}</code>" for name in RESULTS)
    ways = ", ".join(f"<code>{escape(name)}</code>" for name in WAYS)
    later = ", ".join(f"<code>{escape(name)}</code>" for name in [*OPERATOR_RESULTS, *OPERATOR_WAYS])
    own = "".join(each.home() for each in others)
    mail = "takes no mail" if mail_port is None else f"takes mail by SMTP on port {mail_port}"
    body = f"""<h1>Hazina's sandbox</h1>
<p>It stands in for the payment providers. No money moves here.</p>
<ul>
<li><a href="/mailbox">Mailbox</a> (<a href="/mailbox.json">JSON</a>): {mail}.</li>
<li><a href="/_control/mpesa/book">The M-Pesa book</a>: every prompt that was taken, and what was paid.</li>
<li>M-Pesa's API (Daraja) is below <code>/mpesa</code>. PayBill <code>{demo.DEMO_PAYBILL}</code> and
till <code>{demo.DEMO_TILL}</code> (store number <code>{demo.DEMO_TILL_HEAD_OFFICE}</code>) are known, with
consumer key <code>{demo.DEMO_CONSUMER_KEY}</code>, secret <code>{demo.DEMO_CONSUMER_SECRET}</code>
and passkey <code>{demo.DEMO_PASSKEY}</code>; the operator is <code>{demo.DEMO_INITIATOR}</code> with password
<code>{demo.DEMO_INITIATOR_PASSWORD}</code>, sealed with <a href="/_control/mpesa/certificate">this
certificate</a>.</li>
{own}
</ul>
<h2>Controls</h2>
<p>The next prompt is paid, unless you say otherwise:</p>
<pre>curl -X POST /_control/mpesa/next -d '{{"outcomes": ["cancelled"], "phone": "{demo.DEMO_PHONE}"}}'</pre>
<p>What the payer does: {results}. What goes wrong on the way: {ways}.</p>
<p>With <code>"operation"</code> (<code>reversal</code>, <code>transaction_status</code>,
<code>account_balance</code>, <code>b2c</code>) the operator's next requests: {later}.</p>
<pre>POST /_control/mpesa/apps     {{"consumer_key", "consumer_secret",
                               "short_codes": [{{"code", "passkey", "kind"}}]}}
POST /_control/mpesa/c2b      {{"short_code", "amount", "phone", "reference"}}  a payment by hand
POST /_control/mpesa/release  {{"reference"}}  tell now what is late or withheld
POST /_control/mpesa/tokens   end every access token
POST /_control/reset          forget everything

GET  /_control/PROVIDER/book     what was paid, given back and told
POST /_control/PROVIDER/next     {{"outcomes", "key", "where"}}            the account's next calls
POST /_control/PROVIDER/webhook  {{"key", "details", "url", "secret"}}     where it wants its webhooks
POST /_control/PROVIDER/release  {{"reference"}}                         tell now</pre>"""
    return PAGE.format(title="Hazina's sandbox", body=body)
