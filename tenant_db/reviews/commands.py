"""What a person can tell the queue to do. Checked when it is made for what needs no books. Pure."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from core.errors import InvalidInput
from core.money import Money
from tenant_db.refunds.rules import NOTHING_OFFERED, Offer
from tenant_db.reviews.rules import ReviewDecision

PROOF_CHARACTERS_MAX: Final = 100
PROVEN: Final = frozenset({ReviewDecision.MARK_PAID, ReviewDecision.MARK_REFUNDED})
"""Decisions for which the person must have seen the provider's own receipt or reference."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The command to carry out what a person has decided.

    Raises:
        InvalidInput: a decision that needs a proof has none, or the proof can't be stored.
    """

    review_id: UUID
    decision: ReviewDecision
    reason: str
    by: str = ""
    """`{kind}:{id}` of the actor."""
    proof: str | None = None
    """The provider's receipt or reference."""
    store_id: UUID | None = None
    """Whose balance grows, where money in suspense is credited."""
    amount: Money | None = None
    """What is refunded; None is what was paid too much, or else all that is left."""
    offer: Offer = NOTHING_OFFERED
    """What the payment's provider can give back."""

    def __post_init__(self) -> None:
        if self.decision in PROVEN and not self.proof:
            raise InvalidInput("proof", "Send the receipt or reference that the provider shows.")
        if self.proof is not None and (
            not 1 <= len(self.proof.strip()) <= PROOF_CHARACTERS_MAX or not self.proof.isprintable()
        ):
            raise InvalidInput("proof", f"Send 1 to {PROOF_CHARACTERS_MAX} printable characters.")
