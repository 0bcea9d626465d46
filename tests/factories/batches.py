"""Requests of people, as a batch takes them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from core.currency import Currency
from core.money import Money
from tenancy.acts import Act
from tenancy.audit import Actor
from tenancy.columns import AuditColumns, IdempotencyColumns
from tenancy.idempotency import Once
from tenancy.sessions import Tenant
from tenancy.shapes import model_of
from tenant_db.ledger.batching import Answer, Command, Linked, Made, Request, run_batch
from tenant_db.ledger.commands import NewHold, NewTransfer, PostHold, Reverse, VoidHold, of_people
from tenant_db.ledger.rules import TransferKind
from tests.factories.ledger import NOW, make_account

LOCK_NOT_AVAILABLE: Final = "55P03"
OPERATION: Final = "postTransfers"
ACTOR: Final = Actor("user", UUID(int=7), "192.0.2.1", "tests", "request-1")


def request(command: Command, key: str, *, input: str | None = None, reason: str | None = None) -> Request:
    """The command under a key; its input is told apart by `input`."""
    once = Once(OPERATION, key, f"user:{ACTOR.id}", {"input": key if input is None else input}, _ids(command))
    return Request(command, once, Act(ACTOR, OPERATION, f"subject of {key}"), reason)


def posting(
    source_id: UUID,
    destination_id: UUID,
    amount_minor: int,
    key: str,
    *,
    currency: Currency = Currency.KES,
    input: str | None = None,
) -> Request:
    """A request to post one transfer."""
    new = transfer(source_id, destination_id, amount_minor, key, currency)
    return request(Linked([new]), key, input=input)


def transfer(
    source_id: UUID, destination_id: UUID, amount_minor: int, key: str, currency: Currency = Currency.KES
) -> NewTransfer:
    """A transfer that people ask for."""
    return NewTransfer(
        source_id,
        destination_id,
        Money(amount_minor, currency),
        TransferKind.TRANSFER,
        "order 1",
        of_people(f"{OPERATION}:{key}"),
    )


def hold(
    source_id: UUID, destination_id: UUID, amount_minor: int, key: str, expires_at: datetime | None = None
) -> NewHold:
    """A hold that people ask for."""
    return NewHold(
        source_id,
        destination_id,
        Money(amount_minor, Currency.KES),
        TransferKind.PAYOUT,
        "order 1",
        of_people(f"{OPERATION}:{key}"),
        expires_at,
    )


def batch_in(tenant: Tenant, requests: Sequence[Request]) -> Callable[[], Awaitable[list[Answer]]]:
    """Runs the batch in a transaction of its own, and again where a rival held a lock for too long.

    So do clients that are told to try again: on a slow machine two seconds are short.
    """

    async def running() -> list[Answer]:
        while True:
            try:
                async with tenant.transaction() as session:
                    return await run_batch(session, requests, NOW)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                    raise

    return running


async def answers(tenant: Tenant, *requests: Request, now: datetime = NOW) -> list[Answer]:
    """What one batch of them answers."""
    async with tenant.transaction() as session:
        return await run_batch(session, requests, now)


def _ids(command: Command) -> dict[str, UUID]:
    match command:
        case Linked(transfers=transfers):
            return {f"transfer_{number}": new.id for number, new in enumerate(transfers, 1)}
        case NewHold(id=id_):
            return {"hold": id_}
        case PostHold(id=id_, hold_id=hold_id):
            return {"transfer": id_, "hold": hold_id}
        case VoidHold(hold_id=hold_id):
            return {"hold": hold_id}
        case Reverse(id=id_):
            return {"transfer": id_}


async def own_pair(tenant: Tenant, balance_minor: int = 1_000) -> tuple[UUID, UUID]:
    """Two accounts that people opened; the first has money."""
    source = await make_account(tenant, "custom:one", balance_minor=balance_minor, floor_minor=0)
    return source, await make_account(tenant, "custom:two", floor_minor=0)


def made(answer: Answer) -> Made:
    """The answer, where it must have been carried out."""
    assert isinstance(answer, Made), answer
    return answer


async def counted(tenant: Tenant) -> tuple[int, int]:
    """Records of keys, and audit rows."""
    async with tenant.reading() as session:
        models = (model_of(session, IdempotencyColumns), model_of(session, AuditColumns))
        records, acts = [await session.scalar(select(func.count()).select_from(model)) for model in models]
        return records or 0, acts or 0
