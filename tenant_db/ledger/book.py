"""The book of one transaction: accounts under their locks, and what is written into them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from core.currency import Currency


@dataclass(slots=True)
class Posted:
    """A transfer as it was written; its attributes are those of `models.Transfer`."""

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
    details: Mapping[str, Any]
    effective_at: datetime = field(init=False, repr=False, compare=False)
    """Set when it is written, as is `created_at`."""
    created_at: datetime = field(init=False, repr=False, compare=False)


@dataclass(slots=True)
class Held:
    """A hold as it was written; its attributes are those of `models.Hold`."""

    id: UUID
    source_id: UUID
    destination_id: UUID
    amount_minor: int
    currency: Currency
    kind: str
    reference: str
    idempotency_key: str
    details: Mapping[str, Any]
    state: str
    """`pending`, `posted`, `voided` or `expired`."""
    posted_minor: int
    expires_at: datetime | None
    resolved_at: datetime | None
    created_at: datetime = field(init=False, repr=False, compare=False)
    """Set when it is written."""
