"""What a verification has seen so far, and the first broken row it found. Pure."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from core.ids import Kind, outside
from tenant_db.ledger.digests import GENESIS


class Break(StrEnum):
    """What is wrong with a row."""

    TRANSFER_CHANGED = "transfer_changed"
    TRANSFER_MISSING = "transfer_missing"
    TRANSFER_INSERTED = "transfer_inserted"
    ENTRY_CHANGED = "entry_changed"
    ENTRY_MISSING = "entry_missing"
    ENTRY_INSERTED = "entry_inserted"
    COUNTER_DIFFERS = "counter_differs"
    ACCOUNT_MISSING = "account_missing"
    BLOCK_CHANGED = "block_changed"
    BLOCK_MISSING = "block_missing"
    HEAD_DIFFERS = "head_differs"
    HEAD_FORGED = "head_forged"


_TOLD = {
    Break.TRANSFER_CHANGED: "Transfer {transfer} was changed after it was sealed.",
    Break.TRANSFER_MISSING: "Transfer {transfer} was sealed and is not there any more.",
    Break.TRANSFER_INSERTED: "Transfer {transfer} stands among sealed ones and was not sealed with them.",
    Break.ENTRY_CHANGED: "Entry {sequence} of {account} contradicts its transfer or its neighbours.",
    Break.ENTRY_MISSING: "Entry {sequence} of {account} is missing.",
    Break.ENTRY_INSERTED: "Entry {sequence} of {account} belongs to no transfer.",
    Break.COUNTER_DIFFERS: "The counters of {account} are not the sums of its entries and holds.",
    Break.ACCOUNT_MISSING: "The ledger account {account} has entries and is not there any more.",
    Break.BLOCK_CHANGED: "Block {height} was changed, or does not follow the block before it.",
    Break.BLOCK_MISSING: "Block {height} is missing.",
    Break.HEAD_DIFFERS: "Block {height} is not the one whose signed head was kept: history was rewritten.",
    Break.HEAD_FORGED: "The platform's copy of the head at block {height} is not what was signed.",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """The first broken row: a transfer, an entry (account and sequence), an account or a block."""

    what: Break
    transfer_id: UUID | None = None
    account_id: UUID | None = None
    sequence: int | None = None
    height: int | None = None

    @property
    def message(self) -> str:
        """For people, in English."""
        return _TOLD[self.what].format(
            transfer=self.transfer_id and outside(Kind.TRANSFER, self.transfer_id),
            account=self.account_id and outside(Kind.LEDGER_ACCOUNT, self.account_id),
            sequence=self.sequence,
            height=self.height,
        )

    def to_json(self) -> dict[str, Any]:
        values = asdict(self)
        return {name: str(value) if isinstance(value, UUID) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Broken":
        return cls(
            Break(values["what"]),
            _id(values["transfer_id"]),
            _id(values["account_id"]),
            values["sequence"],
            values["height"],
        )


_NO_ID = UUID(int=0)


class Phase(StrEnum):
    """Where a verification stands."""

    BLOCKS = "blocks"
    UNSEALED = "unsealed"
    """Transfers that are in no block yet."""
    ENTRIES = "entries"
    TOTALS = "totals"
    DONE = "done"


@dataclass(slots=True)
class Progress:
    """What was seen so far: with it a verification goes on where an earlier one stopped."""

    phase: Phase = Phase.BLOCKS
    height: int = 0
    """The last block that is good, its hash, and where it ends."""
    hash: bytes = GENESIS
    transaction_id: int = 0
    transfers: int = 0
    """Looked at so far, as the two below."""
    entries: int = 0
    transfers_total: int = 0
    """At the beginning: what is posted meanwhile comes on top."""
    account_id: UUID = _NO_ID
    """The account whose entries are being looked at; those before it are good."""
    sequence: int = 0
    """Its last good entry, the balance that it left, and the sums so far."""
    balance_minor: int = 0
    debits_minor: int = 0
    credits_minor: int = 0
    broken: Broken | None = None

    @property
    def is_over(self) -> bool:
        return self.broken is not None or self.phase is Phase.DONE

    def to_json(self) -> dict[str, Any]:
        values = asdict(self)
        del values["broken"]
        # Sums may be longer than JSON's numbers.
        texts = {name: str(values[name]) for name in ("account_id", *_SUMS)}
        return {**values, **texts, "hash": self.hash.hex()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Progress":
        if not values:
            return cls()
        sums = {name: int(values[name]) for name in _SUMS}
        read = {
            "phase": Phase(values["phase"]),
            "hash": bytes.fromhex(values["hash"]),
            "account_id": UUID(values["account_id"]),
        }
        return cls(**{**values, **sums, **read})


_SUMS = ("balance_minor", "debits_minor", "credits_minor")


def _id(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
