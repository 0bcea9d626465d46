"""Refusals become data, and every one has a code that programs can branch on."""

import pytest

from core.currency import Currency
from core.errors import DomainError, InvalidInput, NotFound
from core.money import CurrencyMismatch
from schema.base import make_schema
from schema.codes import ErrorCode, refusals
from schema.errors import GENERIC_REFUSALS, Error, ForbiddenError, InvalidInputError, NotFoundError, Refusal
from schema.faults import refusal
from tenancy.errors import Forbidden, RateLimited, TenantSuspended
from tests.schema.toy import CurrencyMismatchError, Query


def told(error: DomainError) -> Error:
    [row] = [row for row in GENERIC_REFUSALS if row.exception_type is type(error)]
    shown: Error = row.told(error)
    return shown


def test_a_refusal_shows_what_its_type_asks_for() -> None:
    assert told(InvalidInput("phone", "No phone.")) == InvalidInputError(
        code=ErrorCode("INVALID_INPUT"), message="No phone.", field="phone"
    )
    assert told(NotFound("payment")) == NotFoundError(
        code=ErrorCode("NOT_FOUND"), message="No such payment in this business.", what="payment"
    )
    assert told(Forbidden("payments:write")) == ForbiddenError(
        code=ErrorCode("FORBIDDEN"), message=Forbidden("payments:write").message, scope="payments:write"
    )


def test_every_refusal_of_the_platform_has_a_code_in_the_schema() -> None:
    assert set(refusals()) == set(ErrorCode.__members__)
    assert {"INVALID_INPUT", "NOT_SIGNED_IN", "RATE_LIMITED", "CURRENCY_MISMATCH"} <= set(refusals())


def test_a_code_stands_for_one_refusal_only() -> None:
    named: dict[str, set[str]] = {}
    waiting = [DomainError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if "code" in kind.__dict__ and not kind.__module__.startswith("tests."):
            named.setdefault(kind.code, set()).add(f"{kind.__module__}.{kind.__qualname__}")

    assert {code: kinds for code, kinds in named.items() if len(kinds) > 1} == {}


def test_a_refusal_that_the_schema_can_not_name_is_a_bug() -> None:
    class Homeless(DomainError):
        code = "HOMELESS"

    with pytest.raises(ValueError, match="Homeless must stand"):
        Refusal(Homeless, NotFoundError)


def test_the_most_specific_refusal_wins() -> None:
    schema = make_schema(query=Query, refusals=[Refusal(CurrencyMismatch, CurrencyMismatchError)])

    depths = [len(row.exception_type.__mro__) for row in schema.exception_handlers]  # type: ignore[attr-defined]  # ours
    assert depths == sorted(depths, reverse=True)


@pytest.mark.parametrize(
    ("error", "extensions"),
    [
        (InvalidInput("phone", "No phone."), {"code": "INVALID_INPUT", "field": "phone"}),
        (RateLimited(7), {"code": "RATE_LIMITED", "retryAfterS": 7}),
        (Forbidden("payments:write"), {"code": "FORBIDDEN", "scope": "payments:write"}),
        (TenantSuspended(), {"code": "TENANT_SUSPENDED"}),
        (CurrencyMismatch(Currency.KES, Currency.USD), {"code": "CURRENCY_MISMATCH"}),
    ],
)
def test_outside_a_union_a_refusal_keeps_its_code(error: DomainError, extensions: dict[str, object]) -> None:
    assert refusal(error).extensions == extensions
