"""How the next requests of an operator will go: reversal, status, balance and B2C."""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from core.errors import InvalidInput
from integrations.sandbox.outcomes import ANSWERS

OPERATIONS: Final = ("reversal", "transaction_status", "account_balance", "b2c")
TELLINGS: Final = ("once", "twice", "contradicting", "tampered", "withheld", "never", "queue_timeout")
SHAPES: Final = ("list", "single", "texts", "spaced")


@dataclass(frozen=True, slots=True)
class OperatorOutcome:
    """One request's way: how it is answered, what comes of it, and how that is told."""

    operation: str = "reversal"
    kind: str = "success"
    answer: str = "accept"
    """As of a prompt."""
    is_taken: bool = True
    """Whether it has its effect, whatever the caller is answered."""
    status: int = 500
    error_code: str = "500.003.02"
    error_message: str = "Error Occurred: Spike Arrest Violation"
    result_code: str = ""
    """Empty: what the book says, such as R000001 for a receipt that was reversed before."""
    telling: str = "once"
    """`queue_timeout` goes to QueueTimeOutURL; `withheld` waits for a release; `never` is lost;
    `tampered` names another amount; `contradicting` tells the opposite after the truth."""
    delay_s: float | None = None
    """Until the result; the sandbox's think time if None."""
    word: str = ""
    """What a status query calls the transaction; empty: what the book says."""
    shape: str = "list"
    """How its parameters are written: `single` is one object in place of a list, `texts` has every
    number as text, `spaced` has keys with spaces, in another order, and one without a value."""


RESULTS: Final[Mapping[str, tuple[str, str]]] = {
    "success": ("0", "The service request is processed successfully."),
    "insufficient_funds": ("1", "The balance is insufficient for the transaction."),
    "below_minimum": ("2", "Declined due to limit rule: less than the minimum transaction amount."),
    "above_maximum": ("3", "Declined due to limit rule: greater than the maximum transaction amount."),
    "daily_limit": ("4", "Declined due to limit rule: would exceed daily transfer limit."),
    "balance_limit": ("8", "Would exceed maximum balance."),
    "party_inactive": ("11", "The DebitParty is in an invalid state."),
    "duplicate_detected": ("15", "Duplicate detected."),
    "internal_failure": ("17", "System internal error."),
    "credential_missing": ("18", "Initiator credential check failure."),
    "operator_unresolved": ("20", "Unresolved initiator."),
    "operator_unknown": ("21", "The initiator is not allowed to initiate this request."),
    "operator_role": ("22", "The initiator has no permission."),
    "missing_parameter": ("24", "A mandatory parameter is missing."),
    "bad_parameter": ("25", "A parameter is invalid."),
    "system_busy": ("26", "System busy."),
    "bad_command": ("29", "Invalid command."),
    "wrong_credential": ("2001", "The initiator information is invalid."),
    "account_inactive": ("2006", "The account is not active."),
    "not_permitted": ("2028", "The request is not permitted according to product assignment."),
    "not_registered": ("2040", "Credit Party customer type is not supported by the service."),
    "credential_locked": ("8006", "The security credential is locked."),
    "already_reversed": ("R000001", "The transaction has already been reversed."),
    "unknown_receipt": ("R000002", "The OriginalTransactionID is invalid."),
    "no_such_number": ("SFC_IC0003", "The operator does not exist."),
    "unlisted_code": ("7777", "An error of no documented number."),
}
"""What comes of a request, by name."""

WAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "busy": {"answer": "error", "is_taken": False},
    "quota": {"answer": "error", "is_taken": False, "error_code": "500.003.03", "error_message": "Quota"},
    "refused": {
        "answer": "error",
        "is_taken": False,
        "status": 400,
        "error_code": "400.002.02",
        "error_message": "Bad Request - Invalid Remarks",
    },
    "maintenance": {
        "answer": "error",
        "is_taken": False,
        "error_code": "00.002.1001",
        "error_message": "The service is under maintenance",
    },
    "system_error_after_acceptance": {
        "answer": "error",
        "error_code": "500.002.1001",
        "error_message": "System internal error.",
    },
    "html": {"answer": "html", "status": 200},
    "rate_limited": {
        "answer": "error",
        "is_taken": False,
        "status": 429,
        "error_code": "",
        "error_message": "Too Many Requests",
    },
    "server_error_before_acceptance": {"answer": "html", "is_taken": False},
    "server_error_after_acceptance": {"answer": "html"},
    "keyless_answer": {"answer": "keyless"},
    "not_acknowledged": {"answer": "declined", "is_taken": False},
    "timeout_before_acceptance": {"answer": "hang", "is_taken": False},
    "timeout_after_acceptance": {"answer": "hang"},
    "reset_before_acceptance": {"answer": "drop", "is_taken": False},
    "reset_after_acceptance": {"answer": "drop"},
    "duplicate_result": {"telling": "twice"},
    "withheld_result": {"telling": "withheld"},
    "missing_result": {"telling": "never"},
    "tampered_result": {"telling": "tampered"},
    "contradicting_result": {"telling": "contradicting"},
    "queue_timeout_before": {"telling": "queue_timeout", "result_code": "26"},
    "queue_timeout_after": {"telling": "queue_timeout"},
}
"""What goes wrong on the way; the request is done unless its result code says otherwise."""

_CHOICES: Final = {"operation": OPERATIONS, "answer": ANSWERS, "telling": TELLINGS, "shape": SHAPES}


class OperatorPlans:
    """Outcomes that wait for their requests, the oldest first."""

    def __init__(self) -> None:
        self._planned: deque[tuple[OperatorOutcome, str | None, str | None]] = deque()

    def add(self, outcome: OperatorOutcome, short_code: str | None, subject: str | None = None) -> None:
        """`subject` is what the request must be about: a receipt, an id, a number."""
        self._planned.append((outcome, short_code, subject))

    def take(self, operation: str, short_code: str, *subjects: str) -> OperatorOutcome:
        """The first that fits, taken out; a success if there is none."""
        for planned in self._planned:
            outcome, code, about = planned
            if outcome.operation == operation and code in (None, short_code) and about in (None, *subjects):
                self._planned.remove(planned)
                return outcome
        return OperatorOutcome(operation)

    def reset(self) -> None:
        self._planned.clear()

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {**asdict(outcome), "short_code": code, "subject": about}
            for outcome, code, about in self._planned
        ]


def parse_operator_outcome(given: object, operation: str) -> OperatorOutcome:
    """Read one entry of `outcomes`: a name, or an object with `kind` and parts to be set otherwise.

    Raises:
        InvalidInput: no such outcome, part or value.
    """
    if not isinstance(given, dict | str):
        raise InvalidInput("outcomes", "An outcome is a name or an object.")
    parts: dict[str, Any] = {"kind": given} if isinstance(given, str) else dict(given)
    kind = str(parts.setdefault("kind", "success"))
    parts.setdefault("operation", operation)
    if kind not in RESULTS and kind not in WAYS:
        raise InvalidInput("kind", f"No outcome {kind!r}; there are {', '.join([*RESULTS, *WAYS])}.")
    known = {field.name for field in fields(OperatorOutcome)}
    for name, value in parts.items():
        if name not in known:
            raise InvalidInput(name, f"An outcome has no part {name}; it has {', '.join(sorted(known))}.")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise InvalidInput(name, f"{name} is one of {', '.join(_CHOICES[name])}.")
    code = RESULTS[kind][0] if kind in RESULTS and kind != "success" else ""
    return replace(OperatorOutcome(**{"result_code": code, **WAYS.get(kind, {})}), **parts)


def description_of(code: str) -> str:
    """Daraja's usual text for a result code."""
    return dict(RESULTS.values()).get(code, "The transaction failed.")
