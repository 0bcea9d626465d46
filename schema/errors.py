"""Refusals as data: `interface Error`, the generic refusals, and how a DomainError becomes one.

To add a refusal:

1. Write the `DomainError` in the area's `errors.py`, with a `code` and a docstring whose first
   line tells a front-end developer what it means. `ErrorCode` gains its value by itself.
2. In `schema/<area>.py` (or here if several areas use it) write its GraphQL type and its row:

       @strawberry.type(description="The channel can't take payments yet.")
       class ChannelNotActiveError(Error):
           status: ChannelStatus = strawberry.field(description="Where the channel is in its set-up.")

       REFUSALS = (Refusal(ChannelNotActive, ChannelNotActiveError),)

   Fields beyond `code` and `message` are read from attributes of the same name of the exception.
3. Name the type in the union of each field that can give it, and pass REFUSALS to `make_schema`:

       InitiatePaymentResult = Annotated[
           InitiatePaymentSuccess | ChannelNotActiveError | InvalidInputError,
           strawberry.union("InitiatePaymentResult", description="What became of it."),
       ]

A field whose union lacks the type gives a GraphQL error with `extensions.code` instead.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar, cast

import strawberry
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from core.errors import DomainError, InvalidInput, NotFound
from schema.codes import ErrorCode
from tenancy.errors import Forbidden, NotSignedIn, RateLimited
from tenancy.idempotency import IdempotencyInProgress, IdempotencyKeyReused

Refused = TypeVar("Refused", bound=DomainError)


@strawberry.interface(description="Why something was refused. Branch on `code`; show `message`.")
class Error:
    code: ErrorCode = strawberry.field(description="What went wrong, for programs.")
    message: str = strawberry.field(description="What went wrong and what to do, for people, in English.")


ErrorKind = TypeVar("ErrorKind", bound=Error)


class Refusal(Generic[Refused, ErrorKind]):
    """Turns one kind of DomainError into its GraphQL type, in fields whose union has that type.

    Has the shape of `strawberry.ExceptionHandler`.
    """

    def __init__(self, exception_type: type[Refused], error_type: type[ErrorKind]) -> None:
        if exception_type.code not in ErrorCode.__members__:
            raise ValueError(
                f"{exception_type.__name__} must stand in its area's errors.py: see schema.codes"
            )
        self.exception_type = exception_type
        self.error_type = error_type
        fields = dataclasses.fields(cast("Any", error_type))
        self._details = tuple(field.name for field in fields if field.name not in {"code", "message"})

    def handle(self, exception: Refused, *, field: StrawberryField, info: Info) -> ErrorKind:
        """Make the data that clients see of this refusal."""
        return self.told(exception)

    def told(self, refusal: Refused) -> ErrorKind:
        """The same outside of a field: for refusals kept by an idempotency key, or in lists."""
        return self._shown(refusal, {})

    def _shown(self, refusal: Refused, instead: Mapping[str, object]) -> ErrorKind:
        """`instead` has the values of fields that are not the exception's own."""
        details = {
            name: instead[name] if name in instead else getattr(refusal, name) for name in self._details
        }
        return self.error_type(code=ErrorCode(refusal.code), message=refusal.message, **details)


@strawberry.type(description="A value you sent is malformed. Nothing was changed.")
class InvalidInputError(Error):
    field: str = strawberry.field(description="Which input field is wrong, such as `amountMinor`.")


@strawberry.type(description="Nothing of this business has the id you sent.")
class NotFoundError(Error):
    what: str = strawberry.field(description="What was looked for, such as `payment`.")


@strawberry.type(description="Your role or API key may not do this.")
class ForbiddenError(Error):
    scope: str = strawberry.field(description="The scope that is missing, such as `payments:write`.")


@strawberry.type(description="You are not signed in, or your token no longer counts.")
class NotSignedInError(Error):
    pass


@strawberry.type(description="You asked for too much in too short a time.")
class RateLimitedError(Error):
    retry_after_s: int = strawberry.field(description="Seconds to wait before the next try.")


@strawberry.type(description="This idempotencyKey already stands for other input. Nothing was changed.")
class IdempotencyKeyReusedError(Error):
    pass


@strawberry.type(description="The same request is still running. Try again with the same key.")
class IdempotencyInProgressError(Error):
    retry_after_s: int = strawberry.field(description="Seconds to wait before the next try.")


GENERIC_REFUSALS: Final[tuple[Refusal[Any, Any], ...]] = (
    Refusal(InvalidInput, InvalidInputError),
    Refusal(NotFound, NotFoundError),
    Refusal(Forbidden, ForbiddenError),
    Refusal(NotSignedIn, NotSignedInError),
    Refusal(RateLimited, RateLimitedError),
    Refusal(IdempotencyKeyReused, IdempotencyKeyReusedError),
    Refusal(IdempotencyInProgress, IdempotencyInProgressError),
)
