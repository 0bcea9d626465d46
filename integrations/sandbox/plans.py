"""How the next calls of Stripe, Paystack and Flutterwave will go; M-Pesa has its own in `outcomes`."""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from core.errors import InvalidInput

ANSWERS: Final = ("normal", "hang", "drop", "html", "429", "500", "503")
WEBHOOKS: Final = (
    *("normal", "twice", "never", "withheld", "late", "tampered", "wrong_currency", "bad_signature"),
    *("contradicting", "before_response"),
)
QUERIES: Final = ("normal", "pending")


@dataclass(frozen=True, slots=True)
class Plan:
    """One call's way: how it is answered, what the payer does, and how that is told."""

    kind: str = "success"
    operation: str = "create"
    """Which call it is for: `create`, `refund`, or another of the provider's."""
    answer: str = "normal"
    """`hang` (no answer), `drop` (cut off), `html` (a 200 that is no JSON), or a status."""
    is_taken: bool = True
    """Whether the call has its effect, whatever the caller is answered."""
    result: str = "paid"
    """What comes of it: `paid`, or a word of the provider's own."""
    delay_s: float | None = None
    """Until the payer acts; the sandbox's think time if None."""
    webhook: str = "normal"
    """How its webhooks come. `withheld` waits for a release; `never` is lost until one; `late` comes
    after `webhook_delay_s`; `tampered` and `wrong_currency` are signed and name another amount or
    currency; `contradicting` tells the opposite after the truth; `before_response` has the payer act,
    and tells of it, before the call is answered."""
    webhook_delay_s: float = 5.0
    """For `late` ones."""
    query: str = "normal"
    """What questions are answered until a release: `pending`, or the truth."""
    details: dict[str, Any] = field(default_factory=dict)
    """What only this provider knows."""


COMMON: Final[Mapping[str, Mapping[str, Any]]] = {
    "success": {},
    "busy": {"answer": "429", "is_taken": False},
    "html": {"answer": "html"},
    "html_before_acceptance": {"answer": "html", "is_taken": False},
    "server_error_before_acceptance": {"answer": "500", "is_taken": False},
    "server_error_after_acceptance": {"answer": "500"},
    "unavailable_before_acceptance": {"answer": "503", "is_taken": False},
    "unavailable_after_acceptance": {"answer": "503"},
    "timeout_before_acceptance": {"answer": "hang", "is_taken": False},
    "timeout_after_acceptance": {"answer": "hang"},
    "reset_before_acceptance": {"answer": "drop", "is_taken": False},
    "reset_after_acceptance": {"answer": "drop"},
    "duplicate_webhook": {"webhook": "twice"},
    "late_webhook": {"webhook": "late"},
    "withheld_webhook": {"webhook": "withheld"},
    "missing_webhook": {"webhook": "never"},
    "tampered_amount": {"webhook": "tampered"},
    "wrong_currency": {"webhook": "wrong_currency"},
    "bad_signature": {"webhook": "bad_signature"},
    "contradicting_webhook": {"webhook": "contradicting"},
    "webhook_before_response": {"webhook": "before_response"},
    "query_pending": {"webhook": "withheld", "query": "pending"},
}
"""What goes wrong on the way, by name and alike for every provider; the payer pays."""

_CHOICES: Final = {"answer": ANSWERS, "webhook": WEBHOOKS, "query": QUERIES}


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan that waits for its call."""

    plan: Plan
    key: str
    """The account's, so that no tenant disturbs another."""
    where: dict[str, Any]
    """Facts of the call that must be equal: `{"payment_id": "pay_…"}`."""

    def fits(self, key: str, operation: str, facts: Mapping[str, Any]) -> bool:
        return (
            self.key == key
            and self.plan.operation == operation
            and all(facts.get(name) == value for name, value in self.where.items())
        )


class Plans:
    """The plans of one provider, in the order they were made."""

    def __init__(self, own: Mapping[str, Mapping[str, Any]]) -> None:
        """`own` are the provider's own outcomes by name, besides the common ones."""
        self._named = {**COMMON, **own}
        self._planned: deque[Planned] = deque()

    @property
    def names(self) -> list[str]:
        return list(self._named)

    def add(self, outcomes: list[Any], key: str, where: dict[str, Any]) -> None:
        """One call each, in this order; all or none.

        Raises:
            InvalidInput: no such outcome, part or value.
        """
        self._planned.extend([Planned(self.parse(entry), key, where) for entry in outcomes])

    def next(self, key: str, operation: str, **facts: object) -> Plan:
        """The first plan that fits, taken out; a success if there is none."""
        for planned in self._planned:
            if planned.fits(key, operation, facts):
                self._planned.remove(planned)
                return planned.plan
        return Plan(operation=operation)

    def reset(self) -> None:
        self._planned.clear()

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(planned) for planned in self._planned]

    def parse(self, given: object) -> Plan:
        """Read a name, or an object with `kind` and parts to be set otherwise.

        Raises:
            InvalidInput: no such outcome, part or value.
        """
        parts: dict[str, Any] = {"kind": given} if isinstance(given, str) else _object(given)
        kind = str(parts.get("kind", "success"))
        if kind not in self._named:
            raise InvalidInput("kind", f"No outcome {kind!r}; there are {', '.join(self._named)}.")
        known = {field.name for field in fields(Plan)}
        for name, value in parts.items():
            if name not in known:
                raise InvalidInput(name, f"An outcome has no part {name}; it has {', '.join(sorted(known))}.")
            if name in _CHOICES and value not in _CHOICES[name]:
                raise InvalidInput(name, f"{name} is one of {', '.join(_CHOICES[name])}.")
        named = self._named[kind]
        details = {**named.get("details", {}), **parts.get("details", {})}
        return Plan(**{**named, **parts, "kind": kind, "details": details})


def _object(given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InvalidInput("outcomes", "An outcome is a name or an object.")
    return given
