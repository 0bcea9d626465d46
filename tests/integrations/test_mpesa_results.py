"""What M-Pesa's later answers mean, and what hostile ones come to."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from integrations.errors import BadMessage, FailureReason
from integrations.mpesa.operator_codes import RESULTS, Verdict
from integrations.mpesa.results import read_balances, read_result, read_status

SURE_FAILURES = {"1", "2", "3", "4", "8", "11", "18", "20", "21", "22", "24", "25", "29", "2001", "2006"} | {
    *("2028", "2040", "8006", "R000002", "SFC_IC0003")
}


def test_only_what_the_sheet_calls_final_is_a_failure() -> None:
    failed = {code for code, meaning in RESULTS.items() if meaning.verdict is Verdict.FAILED}
    unsure = {code for code, meaning in RESULTS.items() if meaning.verdict is Verdict.UNSURE}

    assert failed == SURE_FAILURES
    assert unsure == {"17", "26"}
    assert RESULTS["1"].reason is FailureReason.INSUFFICIENT_FUNDS
    assert all(meaning.message for code, meaning in RESULTS.items() if code != "0")


HOSTILE: list[Callable[[dict[str, Any]], object]] = [
    lambda _: [],
    lambda _: {"Result": None},
    lambda body: {"Result": {**body, "ResultCode": None}},
    lambda body: {"Result": {**body, "ResultCode": "x" * 500}},
    lambda body: {"Result": {**body, "ResultCode": {"0": "0"}}},
]


@pytest.mark.parametrize("spoil", HOSTILE)
def test_a_body_that_is_no_result_is_told_apart(spoil: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(BadMessage):
        read_result(json.dumps(spoil({"ResultCode": 0})).encode())


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        [],
        "text",
        {"ResultParameter": None},
        {"ResultParameter": "text"},
        {"ResultParameter": [None, 1, [], {"Key": ["Amount"], "Value": {}}, {"Value": "1"}]},
        {"ResultParameter": {"Key": "Amount", "Value": "1e9999"}},
        {"ResultParameter": [{"Key": "Amount", "Value": 1e400}] * 500},
        {"ResultParameter": [{"Key": "AccountBalance", "Value": "&&|||&A|KES|x|y&|KES|1|1&B|USD|1|1"}]},
    ],
)
def test_hostile_parameters_are_no_values(parameters: object) -> None:
    body = {
        "Result": {
            "ResultCode": "0",
            "ResultParameters": parameters,
            "TransactionID": 5,
            "ConversationID": {},
        }
    }

    result = read_result(json.dumps(body).replace("Infinity", "1e400").encode())

    assert result.amount() is None
    assert read_balances(result) == []
    assert not read_status(result).is_completed
    assert (result.receipt, result.conversation_id) == (None, "")
