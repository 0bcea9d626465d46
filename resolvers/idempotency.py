"""Run a use case at most once per idempotency key, and give its answer again to whoever repeats it."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from core.errors import DomainError
from tenancy.context import OwnerContext, TenantContext
from tenancy.idempotency import SUCCESS, IdempotencyInProgress, Once, Recorded, claim
from tenancy.refusals import unpack
from tenancy.sessions import OwnerSession, TenantSession

Session = TypeVar("Session", OwnerSession, TenantSession)
Answer = TypeVar("Answer")
Transaction = Callable[[], AbstractAsyncContextManager[Session]]

_LOCK_NOT_AVAILABLE: Final = "55P03"


def once(
    context: TenantContext | OwnerContext,
    operation: str,
    key: str,
    *,
    input: Mapping[str, object],
    ids: Mapping[str, UUID],
) -> Once:
    """Describe what `run_once` shall do at most once; see `Once` for what each part must be.

    Raises:
        InvalidInput: the key is empty, too long, or has characters other than visible ASCII.
    """
    principal = context.signed_in()
    return Once(operation, key, f"{principal.kind}:{principal.id}", input, ids)


async def run_once(
    transaction: Transaction[Session],
    once: Once,
    effect: Callable[[Session], Awaitable[Answer]],
    reload: Callable[[Session, Mapping[str, UUID]], Awaitable[Answer]],
) -> Answer:
    """Run `effect` in one transaction with the key's record, or read the first answer again.

    The caller has checked the permission, for a repeat too, and the input. `transaction` is the
    database's own, such as `context.tenant.transaction`. `effect` may raise: what it wrote is then
    gone. A refusal that depends on state (`is_stored`) is remembered and repeats; faults and other
    refusals leave the key free. `reload` reads the answer from the ids that `once` was made with.

    Raises:
        IdempotencyKeyReused: the key stands for other input.
        IdempotencyInProgress: a twin still runs; nothing was done, the same key may be tried again.
        DomainError: what `effect` refuses, now or when it first ran.
    """
    with busy_is_a_refusal():
        try:
            async with transaction() as session:
                earlier = await claim(session, once)
                if earlier is None:
                    return await effect(session)
        except DomainError as refusal:
            if not refusal.is_stored:
                raise
            earlier = await _remember(transaction, once, refusal)
        return await _repeat(transaction, earlier, reload)


async def _remember(transaction: Transaction[Session], once: Once, refusal: DomainError) -> Recorded:
    """Store a refusal, and raise it; or give the answer of a twin that came between.

    The effect was rolled back as a whole, and the key with it, so a twin may have taken the key
    meanwhile: then its answer is the key's answer.
    """
    async with transaction() as session:
        earlier = await claim(session, once, refusal)
    if earlier is None:
        raise refusal
    return earlier


async def _repeat(
    transaction: Transaction[Session],
    earlier: Recorded,
    reload: Callable[[Session, Mapping[str, UUID]], Awaitable[Answer]],
) -> Answer:
    if earlier.outcome != SUCCESS:
        raise unpack(earlier.outcome, earlier.result)
    async with transaction() as session:
        return await reload(session, earlier.ids)


@contextmanager
def busy_is_a_refusal() -> Iterator[None]:
    """Raises IdempotencyInProgress: somebody held a lock for too long, and nothing was done."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise IdempotencyInProgress from error
