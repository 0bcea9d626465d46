"""How the next prompts will go: named outcomes, and each part of them to be set alone."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from core.errors import InvalidInput

ANSWERS: Final = ("accept", "declined", "error", "html", "keyless", "hang", "drop")
CALLBACKS: Final = (
    *("once", "twice", "contradicting", "tampered", "withheld", "never"),
    *("before_response", "forged", "malformed"),
)
QUERY_ERRORS: Final[Mapping[str, tuple[int, str, str]]] = {
    "unknown": (500, "500.001.1001", "The transaction is being processed"),
    "busy": (500, "500.003.02", "Error Occurred: Spike Arrest Violation"),
    "quota": (500, "500.003.03", "Error Occurred: Quota Violation"),
    "server_error": (500, "500.003.1001", "Internal Server Error"),
    "maintenance": (500, "00.002.1001", "The service is under maintenance"),
    "throttled": (500, "100000001", "System overload"),
    "token": (401, "401.002.01", "Error Occurred - Invalid Access Token"),
}
"""How a question is refused: status, code and text."""
QUERIES: Final = ("normal", "pending", "html", "keyless", "hang", "drop", *QUERY_ERRORS)
CONFIRMATIONS: Final = ("registered", "before", "after", "instead", "never")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One prompt's way: how it is answered, what the payer does, and who is told."""

    kind: str = "success"
    answer: str = "accept"
    """`accept`, `declined` (a `ResponseCode` other than 0), `error` (the envelope), `html` (no JSON),
    `keyless` (JSON without the expected keys), `hang` (no answer), `drop` (cut off)."""
    is_taken: bool = True
    """Whether the prompt goes out, whatever the caller is answered."""
    status: int = 500
    """Of an `error`, and of an `html` that is not 200."""
    error_code: str = "500.003.02"
    error_message: str = "Error Occurred: Spike Arrest Violation"
    result_code: str = "0"
    result_desc: str = ""
    """Daraja's usual text if empty."""
    delay_s: float | None = None
    """Until the payer acts; the sandbox's think time if None."""
    callback_delay_s: float = 0.0
    """From what the payer did to the callback."""
    callback: str = "once"
    """`withheld` waits for a release; `never` is lost for good; `tampered` names another amount;
    `contradicting` tells the opposite after the truth; `before_response` comes before the prompt is
    answered; `forged` comes to addresses that nobody was given, `malformed` can't be read."""
    query: str = "normal"
    """What queries are answered until a release: `pending`, an answer that says nothing, or the truth."""
    queries: int | None = None
    """How many of them; None is all."""
    c2b: str = "registered"
    """When the confirmation is told: `registered` is after the callback, if URLs are registered."""


RESULTS: Final[Mapping[str, tuple[str, str]]] = {
    "success": ("0", "The service request is processed successfully."),
    "insufficient_funds": ("1", "The balance is insufficient for the transaction."),
    "below_minimum": ("2", "Declined due to limit rule: less than the minimum transaction amount."),
    "above_maximum": ("3", "Declined due to limit rule: greater than the maximum transaction amount."),
    "daily_limit": ("4", "Declined due to limit rule: would exceed daily transfer limit."),
    "balance_limit": ("8", "Would exceed maximum balance."),
    "inactive": ("11", "The DebitParty is in an invalid state."),
    "duplicate_request": ("17", "Rule limited."),
    "missing_parameter": ("24", "A mandatory parameter is missing."),
    "bad_parameter": ("25", "A parameter is invalid."),
    "system_busy": ("26", "System internal error."),
    "bad_command": ("29", "Invalid command."),
    "session_open": ("1001", "Unable to lock subscriber, a transaction is already in process."),
    "expired": ("1019", "Transaction has expired."),
    "prompt_not_sent": ("1025", "An error occurred while sending a push request."),
    "cancelled": ("1032", "Request cancelled by user"),
    "unreachable": ("1037", "DS timeout user cannot be reached"),
    "wrong_pin": ("2001", "The initiator information is invalid."),
    "account_inactive": ("2006", "The account is not active."),
    "not_permitted": ("2028", "The request is not permitted according to product assignment."),
    "prompt_error": ("9999", "An error occurred while sending a push request."),
    "no_such_number": ("SFC_IC0003", "The operator does not exist."),
    "unlisted_code": ("7777", "An error of no documented number."),
}
"""What a payer does, with the result code and the text it usually has."""

WAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "failure": {},
    "busy": {"answer": "error", "is_taken": False},
    "quota": {
        "answer": "error",
        "is_taken": False,
        "error_code": "500.003.03",
        "error_message": "Error Occurred: Quota Violation",
    },
    "refused": {
        "answer": "error",
        "is_taken": False,
        "status": 400,
        "error_code": "400.002.02",
        "error_message": "Bad Request - Invalid PhoneNumber",
    },
    "rate_limited": {
        "answer": "error",
        "is_taken": False,
        "status": 429,
        "error_code": "",
        "error_message": "Too Many Requests",
    },
    "html": {"answer": "html", "status": 200},
    "html_before_acceptance": {"answer": "html", "status": 200, "is_taken": False},
    "server_error_before_acceptance": {"answer": "html", "is_taken": False},
    "server_error_after_acceptance": {"answer": "html"},
    "unavailable_before_acceptance": {"answer": "html", "status": 503, "is_taken": False},
    "unavailable_after_acceptance": {"answer": "html", "status": 503},
    "keyless_answer": {"answer": "keyless"},
    "not_acknowledged": {"answer": "declined", "is_taken": False},
    "timeout_before_acceptance": {"answer": "hang", "is_taken": False},
    "timeout_after_acceptance": {"answer": "hang"},
    "reset_before_acceptance": {"answer": "drop", "is_taken": False},
    "reset_after_acceptance": {"answer": "drop"},
    "duplicate_callback": {"callback": "twice"},
    "late_callback": {"callback_delay_s": 5.0},
    "withheld_callback": {"callback": "withheld"},
    "missing_callback": {"callback": "never"},
    "callback_before_response": {"callback": "before_response"},
    "forged_callback": {"callback": "forged"},
    "malformed_callback": {"callback": "malformed"},
    "tampered_amount": {"callback": "tampered"},
    "contradicting_callback": {"callback": "contradicting"},
    "query_pending": {"callback": "withheld", "query": "pending"},
    "query_unknown": {"callback": "withheld", "query": "unknown"},
}
"""What goes wrong on the way, by name; the payer pays unless `result_code` says otherwise."""

_CHOICES: Final = {"answer": ANSWERS, "callback": CALLBACKS, "query": QUERIES, "c2b": CONFIRMATIONS}


def parse_outcome(given: object) -> Outcome:
    """Read one entry of `outcomes`: a name, or an object with `kind` and parts to be set otherwise.

    Raises:
        InvalidInput: no such outcome, part or value.
    """
    parts: dict[str, Any] = {"kind": given} if isinstance(given, str) else _object(given)
    kind = str(parts.get("kind", "success"))
    outcome = _named(kind)
    known = {field.name: field.type for field in fields(Outcome)}
    for name, value in parts.items():
        if name not in known:
            raise InvalidInput(name, f"An outcome has no part {name}; it has {', '.join(known)}.")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise InvalidInput(name, f"{name} is one of {', '.join(_CHOICES[name])}.")
    return replace(outcome, **{**parts, "kind": kind})


def description_of(code: str) -> str:
    """Daraja's usual text for a result code."""
    return dict(RESULTS.values()).get(code, "The transaction failed.")


def _named(kind: str) -> Outcome:
    if kind in RESULTS:
        return Outcome(kind=kind, result_code=RESULTS[kind][0])
    if kind in WAYS:
        return Outcome(**{"kind": kind, **WAYS[kind]})
    raise InvalidInput("kind", f"No outcome {kind!r}; there are {', '.join([*RESULTS, *WAYS])}.")


def _object(given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InvalidInput("outcomes", "An outcome is a name or an object.")
    return given
