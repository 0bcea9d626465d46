"""`/pay/…`: the page where an order is paid, for whoever has the link to it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request as HTTPRequest
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from schema.exchange import Request
from schema.operations import Operations
from server.callers import request_info
from server.pay_documents import SHOW
from server.pay_page import notice, page, policy
from server.payers import Payers
from server.view import BY_GET
from tenancy.context import Services, TenantContext
from tenancy.errors import NotSignedIn, RateLimited, TenantNotServed, TenantUnavailable

UNKNOWN_PER_MINUTE_MAX: Final = 30
"""Links that lead nowhere, for one address."""
RETRY_AFTER_S: Final = 5

_NOT_THERE: Final = (
    "This link is not valid",
    "It is no longer valid, or never was. Ask who sent it for a new one.",
)
_TOO_MANY: Final = ("Too many tries", "Wait a minute and open the link again.")
_AWAY: Final = ("Not reachable", "This page can't be shown now. Open the link again in some seconds.")


class PayPages:
    """The endpoint that links to orders lead to."""

    def __init__(self, services: Services, operations: Operations[TenantContext]) -> None:
        self._services = services
        self._operations = operations
        self._payers = Payers(services)

    def routes(self) -> list[Route]:
        return [Route("/pay/{token}", self.show, methods=["GET"])]

    async def show(self, request: HTTPRequest) -> Response:
        """The order's page; the same 404 for every link that leads nowhere, whatever is wrong with it."""
        try:
            shown = await self._asked(request)
            if shown is None:
                return await self._unknown(request)
            return _html(page(shown))
        except NotSignedIn:
            return await self._unknown(request)
        except RateLimited as refusal:
            return _later(HTTPStatus.TOO_MANY_REQUESTS, _TOO_MANY, refusal.retry_after_s)
        except TenantNotServed:
            return _later(HTTPStatus.SERVICE_UNAVAILABLE, _AWAY, RETRY_AFTER_S)

    async def _asked(self, request: HTTPRequest) -> Mapping[str, Any] | None:
        """What the page is made from; None where the order is gone.

        Raises:
            NotSignedIn, TenantNotServed: as `Payers.proven`; the link may have been revoked since then, too.
            RateLimited: this order, or the address, was looked at too often.
        """
        principal, tenant = await self._payers.proven(request.path_params["token"])
        context = TenantContext(self._services, request_info(request), principal, tenant)
        outcome = await self._operations.run(Request(SHOW), context, BY_GET)
        if outcome.retry_after_s is not None:
            raise RateLimited(outcome.retry_after_s)
        codes = {error.extensions.get("code") for error in outcome.errors if error.extensions}
        if NotSignedIn.code in codes:
            raise NotSignedIn
        if codes - {"NOT_FOUND"}:
            # Refused or failed, and logged where that was.
            raise TenantUnavailable
        data = outcome.body.get("data")
        return None if data is None else data["checkout"]

    async def _unknown(self, request: HTTPRequest) -> Response:
        address = request_info(request).network
        try:
            await self._services.limits.hit("pay_unknown", address, limit=UNKNOWN_PER_MINUTE_MAX, per_s=60)
        except RateLimited as refusal:
            return _later(HTTPStatus.TOO_MANY_REQUESTS, _TOO_MANY, refusal.retry_after_s)
        return _html(notice(*_NOT_THERE), HTTPStatus.NOT_FOUND)


def _html(content: str, status: int = HTTPStatus.OK) -> Response:
    return HTMLResponse(content, status, {"Content-Security-Policy": policy()})


def _later(status: int, words: tuple[str, str], retry_after_s: int) -> Response:
    response = _html(notice(*words), status)
    response.headers["Retry-After"] = str(retry_after_s)
    return response
