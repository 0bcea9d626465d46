"""A batch: many callers' commands in one transaction, each with its own key, audit row and answer.

Two round trips, and a third where holds are resolved: their state is read under the accounts' locks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.errors import DomainError
from core.ids import Kind, outside
from tenancy.acts import Act
from tenancy.idempotency import SUCCESS, IdempotencyKeyReused, Once
from tenancy.refusals import pack, unpack
from tenancy.sessions import TenantSession
from tenant_db.ledger.batch_reading import Found, Record, Wanted, read_batch
from tenant_db.ledger.batch_writing import act_rows, record_rows
from tenant_db.ledger.book import Book, reversal_key
from tenant_db.ledger.commands import NewHold, NewTransfer, PostHold, Reverse, VoidHold, require_people
from tenant_db.ledger.errors import HoldUnknown, TransferUnknown
from tenant_db.ledger.holding import announce_expiry
from tenant_db.ledger.limits import LINKED_MAX
from tenant_db.ledger.locking import lock_holds
from tenant_db.ledger.recording import record
from tenant_db.ledger.results import Held, Posted
from tenant_db.ledger.rules import Origin


@dataclass(frozen=True, slots=True)
class Linked:
    """Transfers that succeed or fail together, in their order; one is a group too."""

    transfers: Sequence[NewTransfer]

    def __post_init__(self) -> None:
        if not 1 <= len(self.transfers) <= LINKED_MAX:
            raise ValueError(f"a group has 1 to {LINKED_MAX} transfers")


Command = Linked | NewHold | PostHold | VoidHold | Reverse


@dataclass(frozen=True, slots=True)
class Request:
    """One caller's command. Keys of transfers and holds come from `commands.of_people`."""

    command: Command
    once: Once
    """Its `ids` name what the commands make, by their `id`: `{"transfer": new.id}`."""
    act: Act
    """One object for all requests of a bulk: it is one act, and one row of the audit log."""
    reason: str | None = None
    """For the audit row."""


@dataclass(frozen=True, slots=True)
class Made:
    """It was done now."""

    transfers: Sequence[Posted]
    """What was posted, in the order of the command."""
    hold: Held | None
    """What was placed or resolved, as it is afterwards."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """It was done before, under the same key: the answer is to be read again."""

    ids: Mapping[str, UUID]
    """What `Once.ids` named then."""


Answer = Made | Repeated | DomainError
"""A refusal that depends on the books is stored under the key, and repeats."""


async def run_batch(session: TenantSession, requests: Sequence[Request], now: datetime) -> list[Answer]:
    """Carry out each request, or refuse it and leave its neighbours alone; the answers are in their order.

    The caller owns the transaction and has checked every permission, for repeats too. All locks are
    taken at once, in the order of the accounts' ids. Refusals are answers, never raised. `now` decides
    which holds have expired.

    Raises:
        TransactionInterrupted: a rival took one of the keys at the same moment, or a deadlock: nothing
            may be committed. Roll back and run the same again; after that, each request alone.
        sqlalchemy.exc.DBAPIError: a rival holds an account or a key for longer than LOCK_WAIT_MS; its
            SQLSTATE is 55P03.
    """
    if not requests:
        return []
    wanted = _wanted(requests)
    found = await read_batch(session, wanted)
    to_resolve = await lock_holds(session, wanted.hold_ids) if wanted.hold_ids else {}
    batch = _Batch(found, to_resolve, now)
    answers = [batch.answer(request) for request in requests]
    await batch.write(session)
    return answers


class _Batch:
    """The state of one run: the book, and what the keys stand for by now."""

    def __init__(self, found: Found, to_resolve: Mapping[UUID, Held], now: datetime) -> None:
        self._book = Book(found.accounts, found.transfers, found.holds, Origin.PEOPLE)
        self._originals = {transfer.id: transfer for transfer in found.transfers}
        self._to_resolve = to_resolve
        self._records = dict(found.records)
        self._now = now
        self._new_records: dict[tuple[str, str], tuple[Once, Record]] = {}
        self._acts: list[tuple[Act, str | None]] = []

    def answer(self, request: Request) -> Answer:
        once = request.once
        known = self._records.get((once.operation, once.key))
        if known is not None:
            return _repeated(known, once)
        try:
            made = self._carry_out(request.command)
        except DomainError as refusal:
            if refusal.is_stored:
                self._remember(once, refusal.code, pack(refusal))
            return refusal
        self._remember(once, SUCCESS, _actual_ids(once, request.command, made))
        # The requests of a bulk come one after another, and share one act.
        if not self._acts or self._acts[-1][0] is not request.act:
            self._acts.append((request.act, request.reason))
        return made

    async def write(self, session: TenantSession) -> None:
        if not self._new_records:
            return
        await record(
            session, self._book, [record_rows(list(self._new_records.values())), act_rows(self._acts)]
        )
        for held in self._book.placed:
            announce_expiry(session, held, self._now)

    def _remember(self, once: Once, outcome: str, result: Mapping[str, object]) -> None:
        new = Record(once.input_hash, outcome, dict(result))
        self._records[once.operation, once.key] = new
        self._new_records[once.operation, once.key] = (once, new)

    def _carry_out(self, command: Command) -> Made:
        match command:
            case Linked(transfers=transfers):
                require_people(new.idempotency_key for new in transfers)
                return Made(self._book.post(transfers), None)
            case NewHold():
                require_people([command.idempotency_key])
                return Made([], self._book.place(command, self._now))
            case PostHold(hold_id=hold_id):
                hold = self._hold(hold_id)
                return Made([self._book.post_hold(hold, command, self._now)], hold)
            case VoidHold(hold_id=hold_id):
                hold = self._hold(hold_id)
                self._book.void_hold(hold, self._now)
                return Made([], hold)
            case Reverse(transfer_id=transfer_id):
                original = self._originals.get(transfer_id)
                if original is None:
                    raise TransferUnknown
                return Made([self._book.reverse(original, command)], None)

    def _hold(self, hold_id: UUID) -> Held:
        hold = self._to_resolve.get(hold_id)
        if hold is None:
            raise HoldUnknown(outside(Kind.HOLD, hold_id))
        return hold


def _repeated(known: Record, once: Once) -> Answer:
    if known.input_hash != once.input_hash:
        return IdempotencyKeyReused()
    if known.outcome != SUCCESS:
        return unpack(known.outcome, known.result)
    return Repeated({name: UUID(text) for name, text in known.result.items()})


def _actual_ids(once: Once, command: Command, made: Made) -> dict[str, str]:
    """What `once` names. A command whose own key was used before gives the earlier transfer or hold."""
    actual: dict[UUID, UUID] = {}
    match command:
        case Linked(transfers=transfers):
            actual = {new.id: posted.id for new, posted in zip(transfers, made.transfers, strict=True)}
        case NewHold(id=planned):
            actual = {} if made.hold is None else {planned: made.hold.id}
    return {name: str(actual.get(id_, id_)) for name, id_ in once.ids.items()}


def _wanted(requests: Sequence[Request]) -> Wanted:
    commands = [request.command for request in requests]
    transfers = [new for command in commands if isinstance(command, Linked) for new in command.transfers]
    holds = [command for command in commands if isinstance(command, NewHold)]
    originals = {command.transfer_id for command in commands if isinstance(command, Reverse)}
    news: list[NewTransfer | NewHold] = [*transfers, *holds]
    sources, destinations = {new.source_id for new in news}, {new.destination_id for new in news}
    return Wanted(
        account_ids=list(sources | destinations),
        hold_ids=list({command.hold_id for command in commands if isinstance(command, PostHold | VoidHold)}),
        original_ids=list(originals),
        record_keys=[(request.once.operation, request.once.key) for request in requests],
        transfer_keys=[*(new.idempotency_key for new in transfers), *map(reversal_key, originals)],
        hold_keys=[new.idempotency_key for new in holds],
    )
