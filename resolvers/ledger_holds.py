"""Holds: setting an amount aside, then moving it or letting it go."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from core.money import Money
from core.pages import Page, PageRequest
from resolvers.idempotency import once
from resolvers.ledger_posting import TransferView, carried_out, read_transfers
from resolvers.pages import page_of
from tenancy.acts import Act
from tenancy.audit import acting
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.ledger.batching import Made, Request
from tenant_db.ledger.commands import NewHold, PostHold, VoidHold, of_people
from tenant_db.ledger.models import Hold
from tenant_db.ledger.results import Held
from tenant_db.ledger.rules import TransferKind

HoldView = Held | Hold
"""A hold just placed or resolved, or read again."""


class Promise(NamedTuple):
    """What people ask to be set aside."""

    source_id: UUID
    destination_id: UUID
    amount: Money
    kind: TransferKind
    reference: str
    expires_at: datetime | None
    metadata: Mapping[str, Any]


async def hold(context: TenantContext, id: UUID) -> Hold | None:
    """Needs ledger:read. None: this business has no such hold."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await session.get(Hold, id)


async def holds(context: TenantContext, request: PageRequest, state: str | None) -> Page[Hold]:
    """Newest first; None is every state. Needs ledger:read."""
    context.require(Scope.LEDGER_READ)
    rows = select(Hold) if state is None else select(Hold).where(Hold.state == state)
    async with context.tenant.reading() as session:
        return await page_of(session, rows, Hold, request)


async def place_hold(context: TenantContext, promise: Promise, idempotency_key: str) -> HoldView:
    """Set an amount aside. Needs ledger:write.

    Raises:
        DomainError: what `commands.NewHold` or `batching.run_batch` refuses.
        IdempotencyKeyReused, IdempotencyInProgress, TenantNotServed: as `Batches.carry_out` says.
    """
    context.require(Scope.LEDGER_WRITE)
    new = NewHold(
        source_id=promise.source_id,
        destination_id=promise.destination_id,
        amount=promise.amount,
        kind=promise.kind,
        reference=promise.reference,
        idempotency_key=of_people(f"hold:{idempotency_key}"),
        expires_at=promise.expires_at,
        details=promise.metadata,
    )
    wanted = once(context, "place_hold", idempotency_key, input=_input(promise), ids={"hold": new.id})
    answer = await carried_out(context, Request(new, wanted, _act(context, "place_hold", new.id)))
    if isinstance(answer, Made):
        return _made_hold(answer)
    return await _read_hold(context, answer.ids["hold"])


async def post_hold(
    context: TenantContext,
    hold_id: UUID,
    amount: Money | None,
    effective_at: datetime | None,
    idempotency_key: str,
) -> tuple[TransferView, HoldView]:
    """Move what a hold has set aside, or a part of it; the rest is let go. Needs ledger:write.

    Raises as `place_hold`.
    """
    context.require(Scope.LEDGER_WRITE)
    command = PostHold(hold_id, amount, effective_at)
    input_ = {
        "hold": str(hold_id),
        "amount": None if amount is None else [str(amount.minor), amount.currency.value],
        "effectiveAt": None if effective_at is None else effective_at.isoformat(),
    }
    wanted = once(
        context, "post_hold", idempotency_key, input=input_, ids={"transfer": command.id, "hold": hold_id}
    )
    answer = await carried_out(context, Request(command, wanted, _act(context, "post_hold", hold_id)))
    if isinstance(answer, Made):
        return answer.transfers[0], _made_hold(answer)
    (transfer,) = await read_transfers(context, [answer.ids["transfer"]])
    return transfer, await _read_hold(context, hold_id)


async def void_hold(context: TenantContext, hold_id: UUID, idempotency_key: str) -> HoldView:
    """Let go of what a hold has set aside. Needs ledger:write. Raises as `place_hold`."""
    context.require(Scope.LEDGER_WRITE)
    wanted = once(context, "void_hold", idempotency_key, input={"hold": str(hold_id)}, ids={"hold": hold_id})
    answer = await carried_out(
        context, Request(VoidHold(hold_id), wanted, _act(context, "void_hold", hold_id))
    )
    if isinstance(answer, Made):
        return _made_hold(answer)
    return await _read_hold(context, hold_id)


def _made_hold(made: Made) -> HoldView:
    assert made.hold is not None  # noqa: S101 - the command was about one
    return made.hold


async def _read_hold(context: TenantContext, id: UUID) -> HoldView:
    async with context.tenant.reading() as session:
        return await session.get_one(Hold, id)


def _act(context: TenantContext, action: str, hold_id: UUID) -> Act:
    return Act(acting(context), action, outside(Kind.HOLD, hold_id))


def _input(promise: Promise) -> dict[str, object]:
    at = promise.expires_at
    return {
        "source": str(promise.source_id),
        "destination": str(promise.destination_id),
        "amount": [str(promise.amount.minor), promise.amount.currency.value],
        "kind": promise.kind.value,
        "reference": promise.reference,
        "expiresAt": None if at is None else at.isoformat(),
        "metadata": promise.metadata,
    }
