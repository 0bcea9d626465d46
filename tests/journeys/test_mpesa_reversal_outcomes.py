"""Every outcome of a reversal at M-Pesa, made by its sandbox: where the refund ends, and in which books."""

from typing import Final

import pytest

from integrations.mpesa.operator_codes import RESULTS
from integrations.sandbox import daraja_plans
from tenancy.sessions import Tenant
from tenant_db.channels.adding import set_operator
from tests.factories.channels import OPERATOR
from tests.factories.journeys import Journey
from tests.factories.reversals import GIVEN_BACK, LOST, End, Row, Way, failed, looked_up, require_ends, told

BY_CODE: Final[dict[str, Row]] = {
    "success": told(GIVEN_BACK, "success"),
    "insufficient_funds": told(failed("1"), "insufficient_funds"),
    "below_minimum": told(failed("2"), "below_minimum"),
    "above_maximum": told(failed("3"), "above_maximum"),
    "daily_limit": told(failed("4"), "daily_limit"),
    "balance_limit": told(failed("8"), "balance_limit"),
    "party_inactive": told(failed("11"), "party_inactive"),
    "credential_missing": told(failed("18"), "credential_missing"),
    "operator_unresolved": told(failed("20"), "operator_unresolved"),
    "operator_unknown": told(failed("21"), "operator_unknown"),
    "operator_role": told(failed("22"), "operator_role"),
    "missing_parameter": told(failed("24"), "missing_parameter"),
    "bad_parameter": told(failed("25"), "bad_parameter"),
    "bad_command": told(failed("29"), "bad_command"),
    "wrong_credential": told(failed("2001"), "wrong_credential"),
    "account_inactive": told(failed("2006"), "account_inactive"),
    "not_permitted": told(failed("2028"), "not_permitted"),
    "not_registered": told(failed("2040"), "not_registered"),
    "credential_locked": told(failed("8006"), "credential_locked"),
    "unknown_receipt": told(failed("R000002"), "unknown_receipt"),
    "no_such_number": told(failed("SFC_IC0003"), "no_such_number"),
    # M-Pesa does not say: the status of the request does.
    "internal_failure": told(failed("Failed"), "internal_failure"),
    "system_busy": told(failed("Failed"), "system_busy"),
    "unlisted_code": told(failed("Failed"), "unlisted_code"),
    # It is not this request that counts, but an earlier one: the status of the receipt tells.
    "already_reversed": told(GIVEN_BACK, "already_reversed"),
    "duplicate_detected": told(GIVEN_BACK, "duplicate_detected"),
}
COMPLETED: Final[Way] = {"kind": "success", "word": "Completed"}
"""What no receipt is called that was given back."""
SENDING: Final[dict[str, Row]] = {
    # Surely not taken: sent again.
    "busy": told(GIVEN_BACK, "busy"),
    "quota": told(GIVEN_BACK, "quota"),
    "rate_limited": told(GIVEN_BACK, "rate_limited"),
    "refused": told(failed("400.002.02"), "refused"),
    "not_acknowledged": told(failed("1"), "not_acknowledged"),
    # Sent again only once M-Pesa has called the receipt paid for half an hour.
    "maintenance": told(GIVEN_BACK, "maintenance"),
    "server_error_before_acceptance": told(GIVEN_BACK, "server_error_before_acceptance"),
    "timeout_before_acceptance": told(GIVEN_BACK, "timeout_before_acceptance"),
    "reset_before_acceptance": told(GIVEN_BACK, "reset_before_acceptance"),
    "html": told(GIVEN_BACK, "html"),
    "keyless_answer": told(GIVEN_BACK, "keyless_answer"),
    "server_error_after_acceptance": told(GIVEN_BACK, "server_error_after_acceptance"),
    "system_error_after_acceptance": told(GIVEN_BACK, "system_error_after_acceptance"),
    "timeout_after_acceptance": told(GIVEN_BACK, "timeout_after_acceptance"),
    "reset_after_acceptance": told(GIVEN_BACK, "reset_after_acceptance"),
    "lost_and_refused": told(failed("1"), {"kind": "reset_after_acceptance", "result_code": "1"}),
    "lost_and_never_told": looked_up(GIVEN_BACK, {"kind": "reset_after_acceptance", "telling": "never"}),
}
TELLING: Final[dict[str, Row]] = {
    "duplicate_result": told(GIVEN_BACK, "duplicate_result"),
    "withheld_result": told(GIVEN_BACK, "withheld_result"),
    "tampered_result": told(End("succeeded", review="contradiction"), "tampered_result"),
    "contradicting_result": told(GIVEN_BACK, "contradicting_result"),
    "refused_then_done": told(failed("1"), {"kind": "insufficient_funds", "telling": "contradicting"}),
    "queue_timeout_before": looked_up(failed("Failed"), "queue_timeout_before"),
    "queue_timeout_after": looked_up(GIVEN_BACK, "queue_timeout_after"),
    "missing_result": looked_up(GIVEN_BACK, "missing_result"),
    "result_in_texts": told(GIVEN_BACK, {"kind": "success", "shape": "texts"}),
    "result_spaced": told(GIVEN_BACK, {"kind": "success", "shape": "spaced"}),
    "result_of_one": told(GIVEN_BACK, {"kind": "success", "shape": "single"}),
}
NOT_DONE: Final[Way] = {"kind": "insufficient_funds", "telling": "never"}
STATUSES: Final[dict[str, Row]] = {
    # What says nothing is asked again.
    **{
        f"status_{kind}": looked_up(GIVEN_BACK, "missing_result", kind)
        for kind in (
            *(
                "busy",
                "rate_limited",
                "maintenance",
                "html",
                "keyless_answer",
                "server_error_before_acceptance",
            ),
            *("timeout_before_acceptance", "reset_before_acceptance", "refused", "not_acknowledged"),
            *("unlisted_code", "wrong_credential", "system_busy", "missing_result", "queue_timeout_after"),
            *("tampered_result",),
        )
    },
    "status_pending": looked_up(GIVEN_BACK, "missing_result", {"kind": "success", "word": "Pending"}),
    "status_unlisted": looked_up(GIVEN_BACK, "missing_result", {"kind": "success", "word": "Asleep"}),
    **{
        f"status_{word}": looked_up(failed(word), NOT_DONE, {"kind": "success", "word": word})
        for word in ("Failed", "Cancelled", "Declined", "Expired")
    },
    "reversed_and_not": Row(LOST, ("already_reversed",), (COMPLETED,) * 20),
    "status_never": looked_up(LOST, "reset_before_acceptance", *["unlisted_code"] * 8),
}


@pytest.mark.timeout(300)
async def test_every_outcome_of_a_reversal_ends_in_its_state_with_its_books(
    journey: Journey, tenant: Tenant
) -> None:
    shop = await journey.open_shop(tenant)
    async with tenant.transaction() as session:
        await set_operator(session, journey.services.keyring, shop.channel_id, OPERATOR)

    await require_ends(journey, tenant, shop, {**BY_CODE, **SENDING, **TELLING, **STATUSES})


def test_every_code_that_the_adapter_knows_of_a_result_is_a_row() -> None:
    codes = {daraja_plans.RESULTS[kind][0] for kind in BY_CODE}
    assert codes - {daraja_plans.RESULTS["unlisted_code"][0]} == set(RESULTS)
