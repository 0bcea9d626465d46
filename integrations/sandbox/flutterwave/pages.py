"""The hosted page, for a person who opens it in a browser; others are paid on by themselves."""

from html import escape
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from integrations.sandbox.flutterwave.payers import Payers
from integrations.sandbox.flutterwave.rows import Link
from integrations.sandbox.mailbox import PAGE
from integrations.sandbox.records import Records

GONE: Final = "<h1>This payment link is currently inactive</h1>"


class Pages:
    """Pages by the unguessable end of their address."""

    def __init__(self, links: Records[Link], payers: Payers) -> None:
        self._links = links
        self._payers = payers

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/hosted/pay/{id}", self.show, methods=["GET"]),
            Route("/hosted/pay/{id}", self.pay, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        link = self._links.get(request.path_params["id"])
        if link is None or not link.is_active:
            return HTMLResponse(PAGE.format(title="Flutterwave's sandbox", body=GONE), 404)
        body = f"""<h1>Pay {escape(link.amount)} {escape(link.currency)}</h1>
<p>No money moves here.</p>
<form method="post"><button name="result" value="paid">Pay</button>
<button name="result" value="failed" formaction="?result=failed">Have it declined</button></form>"""
        return HTMLResponse(PAGE.format(title="Flutterwave's sandbox", body=body))

    async def pay(self, request: Request) -> Response:
        """Pay, and go back where the business said: what the address then says proves nothing."""
        link = self._links.get(request.path_params["id"])
        if link is None or not link.is_active:
            return HTMLResponse(PAGE.format(title="Flutterwave's sandbox", body=GONE), 404)
        row = await self._payers.attempt(link, request.query_params.get("result", "paid"))
        query = urlencode({"status": row.status, "tx_ref": row.tx_ref, "transaction_id": row.id})
        mark = "&" if "?" in link.redirect_url else "?"
        return RedirectResponse(f"{link.redirect_url}{mark}{query}", 303)
