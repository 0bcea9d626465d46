"""A batch: many callers' commands in one transaction, each with its own key, audit row and answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.errors import DomainError
from tenancy.acts import Act
from tenancy.idempotency import Once
from tenancy.sessions import TenantSession
from tenant_db.ledger.book import Held, Posted
from tenant_db.ledger.commands import NewHold, NewTransfer, PostHold, Reverse, VoidHold


@dataclass(frozen=True, slots=True)
class Linked:
    """Transfers that succeed or fail together, in their order; one is a group too."""

    transfers: Sequence[NewTransfer]


Command = Linked | NewHold | PostHold | VoidHold | Reverse


@dataclass(frozen=True, slots=True)
class Request:
    """One caller's command. Keys of transfers and holds come from `commands.of_people`."""

    command: Command
    once: Once
    """Its `ids` name what the commands make, by their `id`: `{"transfer": new.id}`."""
    act: Act
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
    raise NotImplementedError
