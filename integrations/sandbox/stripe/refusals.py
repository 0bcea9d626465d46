"""Stripe's errors."""

import secrets
from typing import Any

from starlette.responses import JSONResponse


class StripeError(Exception):
    """Ends a call with Stripe's error envelope."""

    def __init__(
        self, status: int, kind: str, message: str, *, code: str | None = None, **more: object
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error: dict[str, Any] = {"type": kind, "message": message, **more}
        if code is not None:
            self.error["code"] = code

    @property
    def is_stored(self) -> bool:
        """Whether execution had begun: then an idempotency key repeats it."""
        return self.status == 402  # noqa: PLR2004 - a declined card

    def response(self) -> JSONResponse:
        headers = {"request-id": request_id()}
        if self.status in (409, 429):
            headers["stripe-should-retry"] = "true"
        return JSONResponse({"error": self.error}, self.status, headers)


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> StripeError:
    return StripeError(400, "invalid_request_error", message, code=code, param=param)


def missing(what: str, id: str) -> StripeError:
    return StripeError(
        404, "invalid_request_error", f"No such {what}: '{id}'", code="resource_missing", param="id"
    )


def request_id() -> str:
    return f"req_{secrets.token_hex(7)}"
