"""What commands come to: transfers and holds as they are written. Pure."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from core.currency import Currency
from tenant_db.ledger.commands import NewHold, NewTransfer, PostHold

PENDING: Final = "pending"


@dataclass(slots=True)
class Posted:
    """A transfer, with the attributes of `models.Transfer`."""

    id: UUID
    source_id: UUID
    destination_id: UUID
    source_sequence: int
    destination_sequence: int
    amount_minor: int
    currency: Currency
    kind: str
    reference: str
    idempotency_key: str
    reverses_id: UUID | None
    hold_id: UUID | None
    details_json: str
    wanted_at: datetime | None
    """When it was asked to count; None is when it is recorded."""
    effective_at: datetime = field(init=False, repr=False, compare=False)
    """Set when it is written, as is `created_at`."""
    created_at: datetime = field(init=False, repr=False, compare=False)

    @property
    def details(self) -> dict[str, Any]:
        return _parsed(self.details_json)


@dataclass(slots=True)
class Held:
    """A hold, with the attributes of `models.Hold`. Changed in place when it is resolved."""

    id: UUID
    source_id: UUID
    destination_id: UUID
    amount_minor: int
    currency: Currency
    kind: str
    reference: str
    idempotency_key: str
    details_json: str
    state: str
    """`pending`, `posted`, `voided` or `expired`."""
    posted_minor: int
    expires_at: datetime | None
    resolved_at: datetime | None
    created_at: datetime = field(init=False, repr=False, compare=False)
    """Set when it is written."""

    @property
    def details(self) -> dict[str, Any]:
        return _parsed(self.details_json)


def _parsed(text: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def posted_of(new: NewTransfer) -> Posted:
    """What the command makes, before its entries are counted."""
    return Posted(
        new.id,
        new.source_id,
        new.destination_id,
        0,
        0,
        new.amount.minor,
        new.amount.currency,
        new.kind,
        new.reference,
        new.idempotency_key,
        new.reverses_id,
        None,
        new.details_json,
        new.effective_at,
    )


def posted_of_hold(hold: Held, command: PostHold, amount_minor: int) -> Posted:
    """The transfer that posts a hold, before its entries are counted."""
    return Posted(
        id=command.id,
        source_id=hold.source_id,
        destination_id=hold.destination_id,
        source_sequence=0,
        destination_sequence=0,
        amount_minor=amount_minor,
        currency=hold.currency,
        kind=hold.kind,
        reference=hold.reference,
        idempotency_key=f"hold:{hold.id}",
        reverses_id=None,
        hold_id=hold.id,
        details_json=hold.details_json,
        wanted_at=command.effective_at,
    )


def held_of(new: NewHold) -> Held:
    """What the command places."""
    return Held(
        id=new.id,
        source_id=new.source_id,
        destination_id=new.destination_id,
        amount_minor=new.amount.minor,
        currency=new.amount.currency,
        kind=new.kind,
        reference=new.reference,
        idempotency_key=new.idempotency_key,
        details_json=new.details_json,
        state=PENDING,
        posted_minor=0,
        expires_at=new.expires_at,
        resolved_at=None,
    )
