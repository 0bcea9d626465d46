"""HTTP answers to requests that never reach an operation: JSON, with a code, and the right status."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import orjson
from starlette.responses import Response

from core.errors import DomainError
from tenancy.errors import Forbidden, NotSignedIn, RateLimited, TenantNotServed, WrongTenant

JSON: Final = "application/json; charset=utf-8"


class Refused(Exception):
    """The request is answered with a status and one error."""

    def __init__(
        self, status: HTTPStatus, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """`{"errors": [{"message", "extensions": {"code"}}]}`, as application/json."""
        body = {"errors": [{"message": self.message, "extensions": {"code": self.code}}]}
        return Response(orjson.dumps(body), self.status, self.headers, JSON)


def refused(error: DomainError) -> Refused:
    """What a refusal of the caller as a whole, not of one field, looks like over HTTP."""
    headers: dict[str, str] = {}
    retry_after_s = getattr(error, "retry_after_s", None)
    if isinstance(retry_after_s, int):
        headers["Retry-After"] = str(retry_after_s)
    match error:
        case NotSignedIn():
            status = HTTPStatus.UNAUTHORIZED
            headers["WWW-Authenticate"] = "Bearer"
        case RateLimited():
            status = HTTPStatus.TOO_MANY_REQUESTS
        case TenantNotServed() if retry_after_s is not None:
            status = HTTPStatus.SERVICE_UNAVAILABLE
        case WrongTenant() | Forbidden() | TenantNotServed():
            status = HTTPStatus.FORBIDDEN
        case _:
            status = HTTPStatus.BAD_REQUEST
    return Refused(status, error.code, error.message, headers)
