"""Every outcome of M-Pesa's sheet, made by its sandbox: where the payment ends, and in which books."""

from typing import Final

import pytest

from integrations.mpesa.codes import DONE, RESULT_REASONS, STILL_PROCESSING
from integrations.sandbox.outcomes import QUERIES, RESULTS, WAYS
from tenancy.sessions import Tenant
from tenant_db.channels.adding import set_operator
from tests.factories.channels import OPERATOR
from tests.factories.journeys import Journey
from tests.factories.outcomes import (
    PAID,
    PAID_AND_CONTRADICTED,
    UNDECIDED,
    Course,
    Standing,
    ended,
)
from tests.factories.prompts import LOST, Row, Way, asked, require_rows, told

REFUSED: Final[dict[str, Course]] = {
    "insufficient_funds": ended("insufficient_funds"),
    "below_minimum": ended("limit_exceeded"),
    "above_maximum": ended("limit_exceeded"),
    "daily_limit": ended("limit_exceeded"),
    "balance_limit": ended("limit_exceeded"),
    "inactive": ended("payer_not_allowed"),
    "account_inactive": ended("payer_not_allowed"),
    "duplicate_request": ended("payer_busy"),
    "session_open": ended("payer_busy"),
    "missing_parameter": ended("declined"),
    "bad_parameter": ended("declined"),
    "bad_command": ended("declined"),
    "system_busy": ended("provider_busy"),
    "prompt_not_sent": ended("provider_busy"),
    "prompt_error": ended("provider_busy"),
    "expired": ended("no_answer"),
    "unreachable": ended("no_answer"),
    "cancelled": ended("cancelled_by_payer", "cancelled"),
    "wrong_pin": ended("wrong_pin"),
    "not_permitted": ended("configuration"),
    "no_such_number": ended("configuration"),
    "unlisted_code": ended("declined"),
}
"""What the payer, the phone or M-Pesa does with a prompt; the last only counts once M-Pesa was asked."""


def refusal(code: str, text: str, status: int = 400) -> Way:
    """The error envelope in place of an acknowledgement; nothing is taken."""
    return {"kind": "refused", "status": status, "error_code": code, "error_message": text}


TOKEN_TEXT: Final = "Error Occurred - Invalid Access Token"
SENDING: Final[dict[str, Row]] = {
    "success": told(PAID, "success"),
    # Surely not sent: sent again.
    "busy": told(PAID, "busy"),
    "quota": told(PAID, "quota"),
    "rate_limited": told(PAID, "rate_limited"),
    "token_404.001.03": told(PAID, refusal("404.001.03", TOKEN_TEXT, 404)),
    "token_401.002.01": told(PAID, refusal("401.002.01", TOKEN_TEXT, 401)),
    "token_401.003.01": told(PAID, refusal("401.003.01", TOKEN_TEXT, 401)),
    "token_400.003.01": told(PAID, refusal("400.003.01", TOKEN_TEXT)),
    "token_by_text": told(PAID, refusal("500.009.09", TOKEN_TEXT, 500)),
    "token_twice": told(PAID, *[refusal("404.001.03", TOKEN_TEXT, 404)] * 2),
    "no_token_keys": Row(PAID, (), tokens=("refused",)),
    "no_token_type": Row(PAID, (), tokens=(refusal("400.008.01", "Invalid Authentication passed"),)),
    "no_token_grant": Row(PAID, (), tokens=(refusal("400.008.02", "Invalid grant type passed"),)),
    "no_token_html": Row(PAID, (), tokens=("html",)),
    "no_token_keyless": Row(PAID, (), tokens=("keyless_answer",)),
    "no_token_429": Row(PAID, (), tokens=("rate_limited",)),
    "no_token_503": Row(PAID, (), tokens=("unavailable_before_acceptance",)),
    "no_token_timeout": Row(PAID, (), tokens=("timeout_before_acceptance",)),
    "no_token_reset": Row(PAID, (), tokens=("reset_before_acceptance",)),
    # Refused for good.
    "bad_phone": told(ended("payer_not_allowed"), "refused"),
    "bad_amount": told(ended("limit_exceeded"), refusal("400.002.02", "Bad Request - Invalid Amount")),
    "bad_party": told(ended("configuration"), refusal("400.002.02", "Bad Request - Invalid PartyB")),
    "bad_text": told(ended("declined"), refusal("400.002.02", "Bad Request - Invalid TransactionDesc")),
    "bad_body": told(ended("declined"), refusal("400.002.05", "Invalid Request Payload")),
    "bad_url": told(ended("configuration"), refusal("400.003.02", "Bad Request - Invalid CallBackURL")),
    "not_acknowledged": told(ended("declined"), "not_acknowledged"),
    **{
        f"wrong_path_{code}": told(ended("configuration"), refusal(code, "Resource not found", 404))
        for code in ("404.001.01", "404.002.01", "404.003.01", "404.001.04", "405.001")
    },
    "no_product": told(
        ended("configuration"), refusal("", "Invalid API call as no apiproduct match found", 403)
    ),
    "wrong_passkey": told(
        ended("configuration"), refusal("500.001.1001", "[MerchantValidate] - Wrong credentials", 500)
    ),
    "unknown_merchant": told(ended("configuration"), refusal("500.001.1001", "Merchant does not exist", 500)),
    # Nobody knows whether it was sent: never sent again.
    "subscriber_locked": told(LOST, refusal("500.001.1001", "Unable to lock subscriber", 500)),
    "system_error": told(LOST, refusal("500.002.1001", "System internal error.", 500)),
    "server_error": told(LOST, refusal("500.003.1001", "Internal Server Error", 500)),
    "maintenance": told(LOST, refusal("00.002.1001", "The service is under maintenance", 500)),
    "overload": told(LOST, refusal("100000001", "System overload", 500)),
    "unlisted_error": told(LOST, refusal("500.009.09", "Something else", 500)),
    "html_before_acceptance": told(LOST, "html_before_acceptance"),
    "server_error_before_acceptance": told(LOST, "server_error_before_acceptance"),
    "unavailable_before_acceptance": told(LOST, "unavailable_before_acceptance"),
    "timeout_before_acceptance": told(LOST, "timeout_before_acceptance"),
    "reset_before_acceptance": told(LOST, "reset_before_acceptance"),
    "html": told(PAID, "html"),
    "keyless_answer": told(PAID, "keyless_answer"),
    "server_error_after_acceptance": told(PAID, "server_error_after_acceptance"),
    "unavailable_after_acceptance": told(PAID, "unavailable_after_acceptance"),
    "timeout_after_acceptance": told(PAID, "timeout_after_acceptance"),
    "reset_after_acceptance": told(PAID, "reset_after_acceptance"),
    "error_in_a_200": told(PAID, {"kind": "html", "answer": "error", "error_code": "500.009.09"}),
    "lost_and_cancelled": told(
        ended("cancelled_by_payer", "cancelled"), {"kind": "timeout_after_acceptance", "result_code": "1032"}
    ),
    "lost_and_confirmed": told(PAID, {"kind": "reset_after_acceptance", "c2b": "instead"}),
    "lost_and_never_told": asked(LOST, "reset_after_acceptance"),
}
TELLING: Final[dict[str, Row]] = {
    "callback_before_response": told(PAID, {"kind": "callback_before_response", "c2b": "never"}),
    "confirmation_first": told(PAID, {"kind": "success", "c2b": "before"}),
    "confirmation_after": told(PAID, {"kind": "success", "c2b": "after"}),
    "confirmation_instead": told(PAID, {"kind": "success", "c2b": "instead"}),
    "duplicate_callback": told(PAID, "duplicate_callback"),
    "late_callback": told(PAID, "late_callback"),
    "withheld_callback": told(PAID, "withheld_callback"),
    "forged_callback": told(PAID, {"kind": "forged_callback", "c2b": "never"}),
    "malformed_callback": told(PAID, {"kind": "malformed_callback", "c2b": "never"}),
    "tampered_amount": told(PAID, {"kind": "tampered_amount", "c2b": "never"}),
    "contradicting_callback": told(PAID_AND_CONTRADICTED, {"kind": "contradicting_callback", "c2b": "never"}),
    "denied_then_paid": told(
        Course(*[Standing("cancelled", "cancelled_by_payer", "contradiction")] * 2),
        {"kind": "cancelled", "callback": "contradicting", "c2b": "never"},
    ),
    "query_pending": told(PAID, "query_pending"),
    "query_unknown": told(PAID, "query_unknown"),
}
ASKING: Final[dict[str, Row]] = {
    "missing_callback": asked(PAID, "missing_callback"),
    **{f"query_{word}_at_first": asked(PAID, "success", query=word, queries=1) for word in QUERIES},
    "query_pending_for_long": asked(UNDECIDED, "success", query="pending"),
    "query_unknown_for_long": asked(UNDECIDED, "success", query="unknown"),
    "query_html_for_long": asked(UNDECIDED, "success", query="html"),
    **{f"{kind}_by_query": asked(course, kind) for kind, course in REFUSED.items()},
}

ROWS: Final = {
    **SENDING,
    **{kind: told(course, kind) for kind, course in REFUSED.items()},
    **TELLING,
    **ASKING,
}


@pytest.mark.timeout(300)
async def test_every_outcome_at_mpesa_ends_in_its_state_with_its_books(
    journey: Journey, tenant: Tenant
) -> None:
    shop = await journey.open_shop(tenant)
    async with tenant.transaction() as session:
        await set_operator(session, journey.services.keyring, shop.channel_id, OPERATOR)

    await require_rows(journey, tenant, shop, ROWS)

    lines = [line for prompt in (await journey.sandbox.book())["stk"] for line in prompt["told"]]
    # An address with a secret that was never given is kept aside; an endpoint that never was is not there.
    assert [line for line in lines if line.startswith("forged")] == [
        "forged: 200",
        "forged: 404",
        "forged: 200",
    ]


def test_every_outcome_that_the_sandbox_makes_is_a_row() -> None:
    kinds = {way if isinstance(way, str) else way["kind"] for row in ROWS.values() for way in row.way}
    assert kinds | {"failure"} == RESULTS.keys() | WAYS.keys()


def test_every_code_that_the_adapter_knows_of_a_prompt_is_a_row() -> None:
    codes = {RESULTS[kind][0] for kind in REFUSED}
    assert codes - {RESULTS["unlisted_code"][0]} == set(RESULT_REASONS)
    assert not codes & {DONE, STILL_PROCESSING}
