"""The sandbox's own book of what it took and what was paid: the oracle of the tests."""

import secrets
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from integrations.sandbox.journal import Journal
from integrations.sandbox.outcomes import Outcome, parse_outcome

EAST_AFRICA_TIME: Final = timezone(timedelta(hours=3))
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(slots=True)
class StkRequest:
    """One prompt that was taken."""

    id: str
    merchant_request_id: str
    short_code: str
    party_b: str
    transaction_type: str
    phone: str
    amount: int
    """Whole shillings."""
    reference: str
    description: str
    callback_url: str
    taken_at: str
    outcome: dict[str, Any]
    result_code: str | None = None
    """None until the payer has acted."""
    receipt: str | None = None
    """Set if and only if it was paid."""
    acted_at: str = ""
    """When, as Daraja writes it."""
    is_released: bool = False
    asked: int = 0
    """How many questions were answered as its outcome plans, before the truth."""
    told: list[str] = field(default_factory=list)
    """What was sent about it, and how it was answered: `callback 0: 200`, `confirmation: 200`."""

    @property
    def way(self) -> Outcome:
        return parse_outcome(self.outcome)

    @property
    def is_paid(self) -> bool:
        return self.result_code == "0"


@dataclass(slots=True)
class ManualPayment:
    """One payment made by hand."""

    receipt: str
    short_code: str
    phone: str
    amount: str
    """Shillings with two decimal places."""
    reference: str
    paid_at: str
    told: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RegisteredUrls:
    """Where a short code's payments are told."""

    short_code: str
    confirmation_url: str
    validation_url: str
    response_type: str


@dataclass(frozen=True, slots=True)
class Planned:
    """An outcome that waits for its prompt."""

    outcome: Outcome
    short_code: str | None
    phone: str | None

    def fits(self, short_code: str, phone: str) -> bool:
        return self.short_code in (None, short_code) and self.phone in (None, phone)


class Book:
    """All records, in the order they came."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.requests: dict[str, StkRequest] = {}
        self.manual: dict[str, ManualPayment] = {}
        self.urls: dict[str, RegisteredUrls] = {}
        self._planned: deque[Planned] = deque()

    def load(self, records: dict[str, dict[str, dict[str, Any]]]) -> None:
        self.requests = {key: StkRequest(**record) for key, record in records.get("stk", {}).items()}
        self.manual = {key: ManualPayment(**record) for key, record in records.get("manual", {}).items()}
        self.urls = {key: RegisteredUrls(**record) for key, record in records.get("urls", {}).items()}

    def reset(self) -> None:
        self.requests, self.manual, self.urls = {}, {}, {}
        self._planned.clear()

    def save(self, record: StkRequest | ManualPayment | RegisteredUrls) -> None:
        """Keep a record's present state; new ones are added."""
        match record:
            case StkRequest():
                self.requests[record.id] = record
                self._journal.write("stk", record.id, record)
            case ManualPayment():
                self.manual[record.receipt] = record
                self._journal.write("manual", record.receipt, record)
            case RegisteredUrls():
                self.urls[record.short_code] = record
                self._journal.write("urls", record.short_code, record)

    def plan(self, planned: Planned) -> None:
        self._planned.append(planned)

    def next_outcome(self, short_code: str, phone: str) -> Outcome:
        """The first planned outcome that fits, taken out; a success if there is none."""
        for planned in self._planned:
            if planned.fits(short_code, phone):
                self._planned.remove(planned)
                return planned.outcome
        return Outcome()

    def query_word(self, request: StkRequest) -> str:
        """How this question about a prompt is answered: a word of `QUERIES`."""
        way = request.way
        if way.query == "normal" or request.is_released:
            return "normal"
        if way.queries is not None and request.asked >= way.queries:
            return "normal"
        request.asked += 1
        self.save(request)
        return way.query

    def new_checkout_id(self, phone: str, now: datetime) -> str:
        """`ws_CO_`, the time, some digits and the payer's number, as Daraja's look."""
        at = now.astimezone(EAST_AFRICA_TIME).strftime("%d%m%Y%H%M%S")
        while True:
            made = f"ws_CO_{at}{secrets.randbelow(1_000_000):06}{phone[-9:]}"
            if made not in self.requests:
                return made

    def as_json(self) -> dict[str, Any]:
        return {
            "stk": [asdict(request) for request in self.requests.values()],
            "manual": [asdict(payment) for payment in self.manual.values()],
            "urls": [asdict(urls) for urls in self.urls.values()],
            "paid": list(self.paid()),
            "planned": [asdict(planned) for planned in self._planned],
        }

    def paid(self) -> Iterator[dict[str, str]]:
        """What was paid, by prompt or by hand."""
        for request in self.requests.values():
            if request.receipt is not None:
                yield {
                    "receipt": request.receipt,
                    "amount": f"{request.amount}.00",
                    "short_code": request.short_code,
                    "reference": request.reference,
                    "phone": request.phone,
                    "paid_at": request.acted_at,
                }
        for payment in self.manual.values():
            yield {
                "receipt": payment.receipt,
                "amount": payment.amount,
                "short_code": payment.short_code,
                "reference": payment.reference,
                "phone": payment.phone,
                "paid_at": payment.paid_at,
            }


def new_receipt() -> str:
    """Ten capitals and digits, as M-Pesa's look."""
    return "T" + "".join(secrets.choice(_ALPHABET) for _ in range(9))
