"""The sandbox's disputes: opened, reminded of and resolved by controls.

Source: Paystack, section 7.
"""

from datetime import UTC, timedelta
from typing import Any, Final

from core.errors import InvalidInput
from integrations.sandbox.paystack import views
from integrations.sandbox.paystack.rows import Dispute, Transaction, new_number
from integrations.sandbox.plans import Plan
from integrations.sandbox.records import Records
from integrations.sandbox.settings import SandboxSettings
from integrations.sandbox.webhooks import Message, Webhooks

DAYS_TO_ANSWER: Final = 3
RESOLUTIONS: Final = ("merchant-accepted", "declined")


class Disputes:
    """Of all transactions."""

    def __init__(
        self,
        disputes: Records[Dispute],
        transactions: Records[Transaction],
        webhooks: Webhooks,
        settings: SandboxSettings,
    ) -> None:
        self.rows = disputes
        self._transactions = transactions
        self._webhooks = webhooks
        self._settings = settings

    async def open(self, of: Transaction, given: dict[str, Any]) -> Dispute:
        """The payer's bank asks for `amount` subunits back; all, where none is given."""
        if of.paid_at is None:
            raise InvalidInput("reference", "It is not paid.")
        now = self._settings.clock().astimezone(UTC).replace(tzinfo=None)
        row = Dispute(
            id=str(new_number()),
            key=of.key,
            transaction_id=of.id,
            amount=int(given.get("amount", of.amount)),
            currency=of.currency,
            category=str(given.get("category", "general")),
            created_at=now.isoformat("T", "milliseconds"),
            due_at=(now + timedelta(days=DAYS_TO_ANSWER)).isoformat("T", "milliseconds"),
        )
        await self._tell(row, "create")
        return row

    async def remind(self, row: Dispute) -> None:
        await self._tell(row, "remind")

    async def resolve(self, row: Dispute, resolution: str) -> None:
        """`merchant-accepted` gives the money back, `declined` leaves it."""
        if resolution not in RESOLUTIONS:
            raise InvalidInput("resolution", f"A resolution is one of {', '.join(RESOLUTIONS)}.")
        row.status, row.resolution = "resolved", resolution
        of = self._transactions.get(row.transaction_id)
        if of is not None and resolution == "merchant-accepted":
            of.status = "reversed"
            self._transactions.save(of)
        await self._tell(row, "resolve")

    async def _tell(self, row: Dispute, step: str) -> None:
        self.rows.save(row)
        of = self._transactions.get(row.transaction_id)
        if of is not None:
            body = views.dispute_webhook(row, of, step)
            await self._webhooks.tell(Message(f"{row.id}:{step}", row.key, of.reference, body), Plan())
