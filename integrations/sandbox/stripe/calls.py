"""One call of Stripe's API, and the answers that idempotency keys repeat."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from integrations.sandbox.accounts import Account
from integrations.sandbox.plans import Plan
from integrations.sandbox.records import Records
from integrations.sandbox.stripe.forms import Form
from integrations.sandbox.stripe.refusals import StripeError, request_id

KEY_CHARACTERS_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked for, by whom."""

    account: Account
    form: Form
    """Of a GET, its query."""
    plan: Plan
    id: str = ""
    """Of the object in the path."""
    idempotency_key: str | None = None
    base_url: str = ""
    """Of the sandbox, as the caller wrote it."""
    request_id: str = field(default_factory=request_id)

    @property
    def request(self) -> dict[str, Any]:
        """As events name it."""
        return {"id": self.request_id, "idempotency_key": self.idempotency_key}


@dataclass(slots=True)
class StoredAnswer:
    """The first answer to an idempotency key."""

    id: str
    digest: str
    """Of path and parameters."""
    status: int
    body: dict[str, Any]


class Idempotency:
    """The keys of all accounts."""

    def __init__(self, answers: Records[StoredAnswer]) -> None:
        self._answers = answers
        self._at_work: set[str] = set()

    def earlier(self, account: Account, key: str, path: str, body: bytes) -> Response | None:
        """The first answer again, or None for a new key.

        Raises:
            StripeError: the key came with other parameters, or its first call is still at work.
        """
        if len(key) > KEY_CHARACTERS_MAX:
            raise StripeError(400, "idempotency_error", "Keys have at most 255 characters.")
        name = _name(account, key)
        if name in self._at_work:
            raise StripeError(409, "idempotency_error", "The key is in use.", code="idempotency_key_in_use")
        stored = self._answers.get(name)
        if stored is None:
            return None
        if stored.digest != _digest(path, body):
            raise StripeError(
                400, "idempotency_error", "Keys can only be used with the parameters of their first use."
            )
        return answered(stored.status, stored.body, {"idempotent-replayed": "true"})

    @contextmanager
    def at_work(self, account: Account, key: str) -> Iterator[None]:
        """Until it ends, the key is in use."""
        name = _name(account, key)
        self._at_work.add(name)
        try:
            yield
        finally:
            self._at_work.discard(name)

    def store(self, account: Account, key: str, path: str, body: bytes, response: Response) -> None:
        """Keep an answer whose execution had begun."""
        content = json.loads(bytes(response.body))
        name = _name(account, key)
        self._answers.save(StoredAnswer(name, _digest(path, body), response.status_code, content))


def answered(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    own = {"request-id": request_id()}
    if status >= 500:  # noqa: PLR2004 - a server's fault
        # The stored answer would come again.
        own["stripe-should-retry"] = "false"
    return JSONResponse(body, status, {**own, **(headers or {})})


def server_error(status: int) -> Response:
    message = "Too many requests." if status == 429 else "An error occurred."  # noqa: PLR2004 - see text
    kind = "invalid_request_error" if status == 429 else "api_error"  # noqa: PLR2004 - see text
    error = {"type": kind, "message": message} | ({"code": "rate_limit"} if status == 429 else {})  # noqa: PLR2004 - see text
    return JSONResponse({"error": error}, status, {"request-id": request_id()})


def _name(account: Account, key: str) -> str:
    return f"{account.id} {key}"


def _digest(path: str, body: bytes) -> str:
    return hashlib.sha256(path.encode() + b"\n" + body).hexdigest()
