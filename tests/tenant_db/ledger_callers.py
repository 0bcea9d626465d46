"""Who asks the ledger for something: turns wishes into requests, and remembers what was answered."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Final, TypeVar

from core.clock import utc_now
from core.currency import Currency
from core.errors import DomainError
from core.ids import new_id
from core.money import Money
from tenancy.acts import Act
from tenancy.audit import SYSTEM
from tenancy.idempotency import Once
from tenant_db.ledger.batching import Answer, Command, Linked, Made, Repeated, Request
from tenant_db.ledger.commands import NewHold, NewTransfer, PostHold, Reverse, VoidHold, of_people
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import NormalSide, TransferKind
from tests.tenant_db.ledger_oracle import Account, Oracle
from tests.tenant_db.ledger_wishes import (
    STORES,
    Again,
    Batch,
    Bulk,
    Drop,
    Move,
    Otherwise,
    Pay,
    Place,
    Settle,
    Undo,
    Wish,
)

Item = TypeVar("Item")
Movement = TypeVar("Movement", NewTransfer, NewHold)
CEILING_MINOR: Final = 1_250
PATIENCE: Final = timedelta(hours=1)
"""Of a hold that expires."""
MADE: Final = "success"
REUSED: Final = "IDEMPOTENCY_KEY_REUSED"


class Callers:
    """Of one example: their accounts, keys and codes are nobody else's."""

    def __init__(self) -> None:
        self.now = utc_now()
        self.name = new_id().hex[-12:]
        self.accounts = _accounts()
        """In the order of their numbers."""
        self.oracle = Oracle({account.id: account for account in self.accounts})
        self._requests: list[Request] = []
        self._answered: dict[str, tuple[Request, str]] = {}
        """By key, what was answered for good: the request and `success`, or the code of a stored refusal."""

    def requests(self, wishes: Batch) -> list[Request]:
        """What the wishes come to; those about what there is none of yet are left out."""
        return [request for wish in wishes if (request := self._request(wish)) is not None]

    def bulk(self, bulk: Bulk) -> list[NewTransfer]:
        return [self._transfer(move, f"{self.name}:bulk:{number}") for number, move in bulk.moves]

    def expected(self, request: Request) -> str:
        """What a request is told that comes alone."""
        earlier = self._answered.get(request.once.key)
        if earlier is None:
            return self.oracle.refusal(request.command, self.now) or MADE
        first, outcome = earlier
        return outcome if first.once.input == request.once.input else REUSED

    def expected_in_bulk(self, new: NewTransfer) -> str:
        """What a transfer of a bulk is told that has no rivals."""
        earlier = self.oracle.transfers.get(new.idempotency_key)
        if earlier is None:
            return self.oracle.refusal(Linked([new]), self.now) or MADE
        wanted = (new.source_id, new.destination_id, new.amount.minor)
        return MADE if wanted == (earlier.source_id, earlier.destination_id, earlier.amount_minor) else REUSED

    def hear(self, asked: Sequence[Request], answers: Sequence[Answer]) -> None:
        """Take over what requests did, and hold repeats to what was answered first."""
        pairs = list(zip(asked, answers, strict=True))
        for request, answer in pairs:
            if isinstance(answer, Made):
                assert request.once.key not in self._answered, f"{request} was answered before"
                self.oracle.apply(request.command)
                self._answered[request.once.key] = request, MADE
        for request, answer in pairs:
            self._hear_again(request, answer)

    def hear_bulk(self, news: Sequence[NewTransfer], answers: Sequence[Posted | DomainError]) -> None:
        """Take over what a bulk did: who made a transfer knows it by the id that it chose."""
        posted = [
            (new, answer) for new, answer in zip(news, answers, strict=True) if isinstance(answer, Posted)
        ]
        for new, answer in posted:
            if answer.id == new.id:
                self.oracle.apply(Linked([new]))
        for new, answer in posted:
            moved = self.oracle.transfers[new.idempotency_key]
            assert (moved.id, moved.amount_minor) == (answer.id, new.amount.minor)

    def _hear_again(self, request: Request, answer: Answer) -> None:
        earlier = self._answered.get(request.once.key)
        if isinstance(answer, DomainError) and not answer.is_stored:
            return
        if earlier is None:
            assert isinstance(answer, DomainError), f"{request} was never answered, and is a repeat"
            self._answered[request.once.key] = request, answer.code
            return
        first, outcome = earlier
        assert outcome == told(answer)
        assert first.once.input == request.once.input
        if isinstance(answer, Repeated):
            assert answer.ids == first.once.ids

    def _request(self, wish: Wish) -> Request | None:
        if isinstance(wish, Again | Otherwise):
            earlier = _pick(self._requests, wish.request)
            if earlier is None:
                return None
            command = _once_more(earlier.command, 0 if isinstance(wish, Again) else 1)
            return None if command is None else _asked(earlier.once.key, command)
        key = f"{self.name}:{len(self._requests)}"
        command = self._command(wish, key)
        if command is None:
            return None
        self._requests.append(_asked(key, command))
        return self._requests[-1]

    def _command(self, wish: Wish, key: str) -> Command | None:
        match wish:
            case Pay(moves):
                return Linked(
                    [self._transfer(move, of_people(f"{key}:{at}")) for at, move in enumerate(moves)]
                )
            case Place(move, expires):
                new = self._transfer(move, of_people(key))
                until = self.now + PATIENCE if expires else None
                return NewHold(
                    new.source_id,
                    new.destination_id,
                    new.amount,
                    new.kind,
                    "order",
                    new.idempotency_key,
                    until,
                )
            case Settle(number, part):
                held = _pick(list(self.oracle.holds.values()), number)
                amount = None if held is None or part is None else Money(part, held.new.amount.currency)
                return None if held is None else PostHold(held.new.id, amount)
            case Drop(number):
                held = _pick(list(self.oracle.holds.values()), number)
                return None if held is None else VoidHold(held.new.id)
            case Undo(number):
                moved = _pick(list(self.oracle.transfers.values()), number)
                return None if moved is None else Reverse(moved.id, "a mistake")
            case _:
                raise AssertionError(wish)

    def _transfer(self, move: Move, key: str) -> NewTransfer:
        source, destination = self.accounts[move.source], self.accounts[move.destination]
        amount = Money(move.amount, source.currency)
        return NewTransfer(source.id, destination.id, amount, TransferKind.TRANSFER, "order", key)


def told(answer: Answer | Posted) -> str:
    """`success`, or the code of the refusal."""
    return answer.code if isinstance(answer, DomainError) else MADE


def _accounts() -> list[Account]:
    stores = [Account(new_id(), NormalSide.CREDIT, floor_minor=0) for _ in STORES]
    return [
        Account(new_id(), NormalSide.DEBIT),
        *stores,
        Account(new_id(), NormalSide.CREDIT, floor_minor=0, ceiling_minor=CEILING_MINOR),
        Account(new_id(), NormalSide.DEBIT, currency=Currency.USD),
        Account(new_id(), NormalSide.CREDIT, is_closed=True),
    ]


def _pick(items: Sequence[Item], number: int) -> Item | None:
    return items[-1 - number % len(items)] if items else None


def _once_more(command: Command, more_minor: int) -> Command | None:
    """The same as a client sends it again, with ids of its own; or another amount. None: it has no amount."""
    match command:
        case Linked(transfers):
            return Linked([_with_amount(new, more_minor) for new in transfers])
        case NewHold():
            return _with_amount(command, more_minor)
        case _ if more_minor:
            return None
        case VoidHold():
            return command
        case PostHold() | Reverse():
            return replace(command, id=new_id())


def _with_amount(new: Movement, more_minor: int) -> Movement:
    amount = Money(new.amount.minor + more_minor, new.amount.currency)
    return replace(new, id=new_id(), amount=amount)


def _asked(key: str, command: Command) -> Request:
    parts = command.transfers if isinstance(command, Linked) else [command]
    wanted = [[str(getattr(part, field.name)) for field in fields(part) if field.compare] for part in parts]
    made = {f"made-{at}": part.id for at, part in enumerate(parts) if not isinstance(part, VoidHold | Linked)}
    once = Once("random", key, "system:", {"does": type(command).__name__, "with": wanted}, made)
    return Request(command, once, Act(SYSTEM, "random", key))
