import pytest

from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.mpesa.codes import Fault, raise_for_prompt, read_result
from integrations.protocol import NotPaid, Paid, StillPending
from tenant_db.payments import rules

REASONS = {
    "1": "insufficient_funds",
    "2": "limit_exceeded",
    "3": "limit_exceeded",
    "4": "limit_exceeded",
    "8": "limit_exceeded",
    "11": "payer_not_allowed",
    "17": "payer_busy",
    "24": "declined",
    "25": "declined",
    "26": "provider_busy",
    "29": "declined",
    "1001": "payer_busy",
    "1019": "no_answer",
    "1025": "provider_busy",
    "1032": "cancelled_by_payer",
    "2001": "wrong_pin",
    "2006": "payer_not_allowed",
    "2028": "configuration",
    "9999": "provider_busy",
    "SFC_IC0003": "configuration",
}


@pytest.mark.parametrize(("code", "reason"), REASONS.items())
def test_a_final_result_has_its_reason(code: str, reason: str) -> None:
    told = read_result(code, "any text", Paid())

    assert told == NotPaid(FailureReason(reason), code, "any text", is_sure=True)


def test_zero_is_paid_and_4999_is_not_decided() -> None:
    paid = Paid(receipt="TKX0000001")

    assert read_result("0", "", paid) is paid
    assert read_result("4999", "", paid) == StillPending()


@pytest.mark.parametrize("code", ["1037", "424242", "00", "0.0"])
def test_an_unreachable_phone_and_an_unknown_code_want_a_confirming_query(code: str) -> None:
    told = read_result(code, "", Paid())

    assert isinstance(told, NotPaid)
    assert not told.is_sure


def test_every_reason_is_one_of_a_payments() -> None:
    assert {reason.value for reason in FailureReason} < {reason.value for reason in rules.FailureReason}


REJECTED = [
    Fault(400, "400.002.02", "Bad Request - Invalid PhoneNumber"),
    Fault(400, "400.002.05", "Invalid Request Payload"),
    Fault(400, "400.003.02", "Bad Request"),
    Fault(404, "404.001.01", "Resource not found"),
    Fault(404, "404.002.01", "Resource not found"),
    Fault(404, "404.003.01", "Resource not found"),
    Fault(404, "404.001.04", "Invalid Authentication Header"),
    Fault(405, "405.001", "Method Not Allowed"),
    Fault(401, "", "Invalid API call as no apiproduct match found"),
    Fault(500, "500.001.1001", "[MerchantValidate] - Wrong credentials"),
    Fault(500, "500.001.1001", "Merchant does not exist"),
]
UNAVAILABLE = [
    Fault(500, "500.003.02", "Error Occurred: Spike Arrest Violation"),
    Fault(500, "500.003.03", "Error Occurred: Quota Violation"),
    Fault(404, "404.001.03", "Invalid Access Token"),
    Fault(401, "401.002.01", "Error Occurred - Invalid Access Token"),
    Fault(400, "400.003.01", "Invalid Access Token"),
    Fault(429, "", ""),
]
UNKNOWN = [
    Fault(500, "500.001.1001", "Unable to lock subscriber, a transaction is already in process"),
    Fault(500, "500.001.1001", "The transaction is being processed"),
    Fault(500, "500.002.1001", "System internal error"),
    Fault(500, "500.003.1001", "Internal Server Error"),
    Fault(503, "00.002.1001", "System under maintenance"),
    Fault(500, "100000001", "Overload"),
    Fault(400, "999.999.99", "never seen"),
    Fault(200, "", "an answer that is no JSON"),
    Fault(502, "", "an answer that is no JSON"),
]


@pytest.mark.parametrize("fault", REJECTED, ids=str)
def test_a_refusal_of_the_sheet_is_final(fault: Fault) -> None:
    with pytest.raises(ProviderRejected) as caught:
        raise_for_prompt(fault, "INV1042")

    assert caught.value.code == fault.code


@pytest.mark.parametrize("fault", UNAVAILABLE, ids=str)
def test_a_throttled_prompt_and_a_refused_token_may_be_sent_again(fault: Fault) -> None:
    with pytest.raises(ProviderUnavailable):
        raise_for_prompt(fault, "INV1042")


@pytest.mark.parametrize("fault", UNKNOWN, ids=str)
def test_any_other_answer_leaves_the_outcome_unknown(fault: Fault) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        raise_for_prompt(fault, "INV1042")

    assert caught.value.reference == "INV1042"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Bad Request - Invalid PhoneNumber", FailureReason.PAYER_NOT_ALLOWED),
        ("Bad Request - Invalid Amount", FailureReason.LIMIT_EXCEEDED),
        ("Bad Request - Invalid BusinessShortCode", FailureReason.CONFIGURATION),
        ("Bad Request - Invalid CallBackURL", FailureReason.CONFIGURATION),
        ("Bad Request - Invalid AccountReference", FailureReason.DECLINED),
    ],
)
def test_a_bad_field_is_somebodys_to_correct(message: str, reason: FailureReason) -> None:
    with pytest.raises(ProviderRejected) as caught:
        raise_for_prompt(Fault(400, "400.002.02", message), "INV1042")

    assert caught.value.reason is reason
