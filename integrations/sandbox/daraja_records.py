"""What an operator asked for, and what came of it."""

from dataclasses import dataclass, field
from typing import Any

from integrations.sandbox.daraja_plans import OperatorOutcome


@dataclass(slots=True)
class OperatorRequest:
    """One reversal, status query, balance query or B2C payout that was taken."""

    id: str
    """ConversationID."""
    originator_conversation_id: str
    operation: str
    short_code: str
    result_url: str
    timeout_url: str
    amount: int
    """Whole shillings; 0 where nothing moves."""
    subject: str
    """The receipt to reverse or to look up, the id to look up, or the payee's number."""
    taken_at: str
    outcome: dict[str, Any]
    result_code: str | None = None
    """None until it is done or refused."""
    receipt: str | None = None
    """Its own, once it is done or refused."""
    acted_at: str = ""
    found: dict[str, str] = field(default_factory=dict)
    """What a query found."""
    is_released: bool = False
    told: list[str] = field(default_factory=list)
    """What was sent about it, and how it was answered: `result 0: 200`, `timeout: 200`."""

    @property
    def way(self) -> OperatorOutcome:
        return OperatorOutcome(**self.outcome)

    @property
    def is_done(self) -> bool:
        return self.result_code == "0"
