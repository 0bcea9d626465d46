"""Posting to the books: single transfers, linked ones, a thousand at once, adjustments, reversals."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import select

from core.errors import DomainError, InvalidInput
from core.ids import Kind, outside
from core.money import Money
from resolvers.idempotency import once
from resolvers.ledger_batches import Batches, Outcome
from resolvers.reasons import required_reason
from tenancy.acts import Act
from tenancy.audit import acting
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.ledger.batching import Linked, Made, Repeated, Request
from tenant_db.ledger.commands import NewTransfer, Reverse, of_people
from tenant_db.ledger.errors import TooManyPostings
from tenant_db.ledger.limits import LINKED_MAX, POSTINGS_MAX, as_json
from tenant_db.ledger.models import Transfer
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import TransferKind

LINKED_MIN: Final = 2

TransferView = Posted | Transfer
"""A transfer just made, or read again."""


class Movement(NamedTuple):
    """What people ask to be posted."""

    source_id: UUID
    destination_id: UUID
    amount: Money
    kind: TransferKind
    reference: str
    effective_at: datetime | None
    metadata: Mapping[str, Any]


class Item(NamedTuple):
    """One posting of a bulk, and its own key."""

    movement: Movement
    idempotency_key: str


async def post_transfer(context: TenantContext, movement: Movement, idempotency_key: str) -> TransferView:
    """Post one transfer. Needs ledger:write. An item of `post_transfers` with this key is the same request.

    Raises:
        DomainError: what `commands.NewTransfer` or `batching.run_batch` refuses.
        IdempotencyKeyReused, IdempotencyInProgress, TenantNotServed: as `Batches.carry_out` says.
    """
    context.require(Scope.LEDGER_WRITE)
    return await _posted(context, _posting(context, Item(movement, idempotency_key)))


async def post_adjustment(
    context: TenantContext, movement: Movement, reason: str, idempotency_key: str
) -> TransferView:
    """Post a correction, with its reason. Needs ledger:write. Raises as `post_transfer`."""
    context.require(Scope.LEDGER_WRITE)
    reason = required_reason(reason)
    if "reason" in movement.metadata:
        raise InvalidInput("metadata", "The reason is kept as `reason`; name yours otherwise.")
    movement = movement._replace(
        kind=TransferKind.ADJUSTMENT, metadata={**movement.metadata, "reason": reason}
    )
    new = _new_transfer(movement, f"adjustment:{idempotency_key}")
    wanted = once(
        context, "post_adjustment", idempotency_key, input=_input(movement), ids={"transfer": new.id}
    )
    act = _act(context, "post_adjustment", new.id)
    return await _posted(context, Request(Linked([new]), wanted, act, reason))


async def reverse_transfer(
    context: TenantContext, transfer_id: UUID, reason: str, idempotency_key: str
) -> TransferView:
    """Move the whole amount of a transfer back, once. Needs ledger:write. Raises as `post_transfer`."""
    context.require(Scope.LEDGER_WRITE)
    command = Reverse(transfer_id, required_reason(reason))
    wanted = once(
        context,
        "reverse_transfer",
        idempotency_key,
        input={"transfer": str(transfer_id), "reason": command.reason},
        ids={"transfer": command.id},
    )
    act = _act(context, "reverse_transfer", transfer_id)
    return await _posted(context, Request(command, wanted, act, command.reason))


async def post_linked_transfers(
    context: TenantContext, movements: Sequence[Movement], idempotency_key: str
) -> Sequence[TransferView]:
    """Post 2 to 100 transfers that succeed or fail together. Needs ledger:write.

    Raises as `post_transfer`.
    """
    context.require(Scope.LEDGER_WRITE)
    if not LINKED_MIN <= len(movements) <= LINKED_MAX:
        raise InvalidInput("transfers", f"Send {LINKED_MIN} to {LINKED_MAX} transfers.")
    news = [
        # The number comes first: nobody can choose a key that is another's with its number.
        _new_transfer(movement, f"linked:{number}:{idempotency_key}")
        for number, movement in enumerate(movements)
    ]
    wanted = once(
        context,
        "post_linked_transfers",
        idempotency_key,
        input={"transfers": [_input(movement) for movement in movements]},
        ids={str(number): new.id for number, new in enumerate(news)},
    )
    request = Request(Linked(news), wanted, _act(context, "post_linked_transfers", news[0].id))
    answer = await carried_out(context, request)
    if isinstance(answer, Made):
        return answer.transfers
    return await read_transfers(context, [answer.ids[str(number)] for number in range(len(news))])


async def post_transfers(
    context: TenantContext, items: Sequence[Item | DomainError]
) -> Sequence[UUID | DomainError]:
    """Post up to 1,000 transfers, each for itself; gives the id or the refusal of each, in their order.

    Needs ledger:write. An item that is a refusal already stays one. All are one act in the audit log.

    Raises:
        InvalidInput: there are none.
        TooManyPostings: there are too many; nothing was posted.
        Exception: a fault of one item. The same again is safe: what was posted is told, not repeated.
    """
    context.require(Scope.LEDGER_WRITE)
    if not items:
        raise InvalidInput("items", "Send at least one posting.")
    if len(items) > POSTINGS_MAX:
        raise TooManyPostings(POSTINGS_MAX)
    act = Act(acting(context), "post_transfers", f"{len(items)} postings")
    requests = [_posting_or_refusal(context, item, act) for item in items]
    wanted = [request for request in requests if isinstance(request, Request)]
    outcomes = iter(await _batches(context).carry_out(context.tenant, wanted))
    return [
        request if isinstance(request, DomainError) else _id_or_refusal(next(outcomes))
        for request in requests
    ]


async def carried_out(context: TenantContext, request: Request) -> Made | Repeated:
    """Carry out one command of a caller who may give it.

    Raises:
        DomainError: it is refused; the outcome of `Batches.carry_out`.
    """
    (outcome,) = await _batches(context).carry_out(context.tenant, [request])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def read_transfers(context: TenantContext, ids: Sequence[UUID]) -> Sequence[TransferView]:
    """Transfers that are known to exist, in the order of `ids`."""
    async with context.tenant.reading() as session:
        found = await session.scalars(select(Transfer).where(Transfer.id.in_(ids)))
        by_id = {transfer.id: transfer for transfer in found}
    return [by_id[id_] for id_ in ids]


def guarded_metadata(metadata: object) -> Mapping[str, Any]:
    """What people attach to a transfer or hold.

    Raises:
        InvalidInput: it is no JSON object, or larger or deeper than can be stored.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise InvalidInput("metadata", "Send a JSON object.")
    try:
        as_json("metadata", metadata)
    except RecursionError as error:
        raise InvalidInput("metadata", "This is nested too deeply.") from error
    return metadata


def _batches(context: TenantContext) -> Batches:
    return context.services.shared(Batches)


async def _posted(context: TenantContext, request: Request) -> TransferView:
    answer = await carried_out(context, request)
    if isinstance(answer, Made):
        return answer.transfers[0]
    return (await read_transfers(context, [answer.ids["transfer"]]))[0]


def _posting_or_refusal(context: TenantContext, item: Item | DomainError, act: Act) -> Request | DomainError:
    if isinstance(item, DomainError):
        return item
    try:
        return _posting(context, item, act)
    except DomainError as refusal:
        return refusal


def _posting(context: TenantContext, item: Item, act: Act | None = None) -> Request:
    new = _new_transfer(item.movement, f"post:{item.idempotency_key}")
    wanted = once(
        context,
        "post_transfer",
        item.idempotency_key,
        input=_input(item.movement),
        ids={"transfer": new.id},
    )
    return Request(Linked((new,)), wanted, act or _act(context, "post_transfer", new.id))


def _id_or_refusal(outcome: Outcome) -> UUID | DomainError:
    match outcome:
        case Made(transfers=transfers):
            return transfers[0].id
        case Repeated(ids=ids):
            return ids["transfer"]
        case DomainError():
            return outcome
    raise outcome


def _new_transfer(movement: Movement, key: str) -> NewTransfer:
    return NewTransfer(
        source_id=movement.source_id,
        destination_id=movement.destination_id,
        amount=movement.amount,
        kind=movement.kind,
        reference=movement.reference,
        idempotency_key=of_people(key),
        effective_at=movement.effective_at,
        details=movement.metadata,
    )


def _act(context: TenantContext, action: str, transfer_id: UUID) -> Act:
    return Act(acting(context), action, outside(Kind.TRANSFER, transfer_id))


def _input(movement: Movement) -> dict[str, object]:
    at = movement.effective_at
    return {
        "source": str(movement.source_id),
        "destination": str(movement.destination_id),
        "amount": [str(movement.amount.minor), movement.amount.currency.value],
        "kind": movement.kind.value,
        "reference": movement.reference,
        "effectiveAt": None if at is None else at.isoformat(),
        "metadata": movement.metadata,
    }
