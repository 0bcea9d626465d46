"""Whether a command repeats what was done under its key. Pure."""

import json

from tenant_db.ledger.commands import NewHold, NewTransfer
from tenant_db.ledger.results import Held, Posted


def is_repeat(new: NewTransfer, earlier: Posted) -> bool:
    """Whether `earlier` is what this command would make."""
    return (
        earlier.source_id == new.source_id
        and earlier.destination_id == new.destination_id
        and earlier.amount_minor == new.amount.minor
        and earlier.currency is new.amount.currency
        and earlier.kind == new.kind
        and earlier.reference == new.reference
        and earlier.reverses_id == new.reverses_id
        and (new.effective_at is None or new.effective_at == earlier.wanted_at)
        and earlier.details == json.loads(new.details_json)
    )


def is_repeated_hold(new: NewHold, earlier: Held) -> bool:
    """Whether `earlier` is what this command would place, whatever became of it."""
    return (
        earlier.source_id == new.source_id
        and earlier.destination_id == new.destination_id
        and earlier.amount_minor == new.amount.minor
        and earlier.currency is new.amount.currency
        and earlier.kind == new.kind
        and earlier.reference == new.reference
        and earlier.expires_at == new.expires_at
        and earlier.details == json.loads(new.details_json)
    )
