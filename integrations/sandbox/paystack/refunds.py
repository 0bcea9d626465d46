"""The sandbox's refunds: ordered, and decided after a while.

Source: Paystack, section 5.
"""

from dataclasses import asdict
from datetime import UTC
from typing import Any, Final

from integrations.sandbox.clockwork import Clockwork
from integrations.sandbox.paystack import views
from integrations.sandbox.paystack.checks import Refused
from integrations.sandbox.paystack.rows import Refund, Transaction, new_number
from integrations.sandbox.plans import Plan
from integrations.sandbox.records import Records
from integrations.sandbox.settings import SandboxSettings
from integrations.sandbox.webhooks import Message, Webhooks

RETRY_FIELDS: Final = ("currency", "account_number", "bank_id")


class Refunds:
    """Of all transactions."""

    def __init__(
        self,
        refunds: Records[Refund],
        transactions: Records[Transaction],
        clockwork: Clockwork,
        webhooks: Webhooks,
        settings: SandboxSettings,
    ) -> None:
        self.rows = refunds
        self._transactions = transactions
        self._clockwork = clockwork
        self._webhooks = webhooks
        self._settings = settings

    def read(self, body: dict[str, Any], of: Transaction, plan: Plan) -> Refund:
        """Check an order.

        Raises:
            Refused: it is more than is left, or the transaction is not paid.
        """
        left = of.amount - of.refunded
        if of.paid_at is None:
            raise Refused(400, "Transaction has not been completed", code="transaction_not_completed")
        if left <= 0 or of.status == "reversed":
            raise Refused(400, "Transaction has been fully reversed", code="transaction_reversed")
        amount = body.get("amount", left)
        if type(amount) is not int or not 0 < amount <= left:
            raise Refused(400, "Refund amount cannot be more than transaction amount", code="invalid_amount")
        if body.get("currency", of.currency) != of.currency:
            raise Refused(400, "Refund currency differs from transaction currency", code="invalid_currency")
        now = self._settings.clock().astimezone(UTC).replace(tzinfo=None)
        return Refund(
            id=str(new_number()),
            key=of.key,
            transaction_id=of.id,
            amount=amount,
            currency=of.currency,
            created_at=now.isoformat("T", "milliseconds"),
            plan=asdict(plan),
            merchant_note=str(body.get("merchant_note") or ""),
            customer_note=str(body.get("customer_note") or ""),
        )

    async def order(self, row: Refund, of: Transaction) -> None:
        """Take it; what is done at once is done when this returns."""
        of.refunded += row.amount
        self._transactions.save(of)
        way = row.way
        if way.result == "processing":
            row.status = "processing"
        self.rows.save(row)
        await self._tell(row)
        if way.details.get("at_once"):
            await self.end(row)
        elif way.result not in ("pending", "processing"):
            self.go_on(row)

    def go_on(self, row: Refund) -> None:
        """Decide it after a while."""
        if not row.has_ended and row.way.result not in ("pending", "processing"):
            delay_s = self._settings.think_time_s if row.way.delay_s is None else row.way.delay_s
            self._clockwork.start(f"refund:{row.id}", delay_s, lambda: self.end(row))

    async def end(self, row: Refund) -> None:
        """Decide it as planned; once."""
        if row.has_ended:
            return
        result = row.way.result
        status = result if result in ("failed", "needs-attention") else "processed"
        await self._decide(row, status)

    async def release(self, row: Refund) -> None:
        """Let what waits be processed."""
        await self._clockwork.hurry(f"refund:{row.id}")
        if not row.has_ended and row.way.result in ("pending", "processing"):
            await self._decide(row, "processed")

    async def retry(self, row: Refund, details: object) -> None:
        """Give the payer's account for one that needs attention.

        Raises:
            Refused: it needs none, or the details are not whole.
        """
        is_whole = isinstance(details, dict) and all(details.get(name) for name in RETRY_FIELDS)
        if row.status != "needs-attention" or not is_whole:
            raise Refused(422, "Invalid parameters", code="invalid_params")
        await self._decide(row, "processed")

    async def _decide(self, row: Refund, status: str) -> None:
        of = self._transactions.get(row.transaction_id)
        if of is None:
            return
        row.status, row.has_ended, row.refund_reference = status, True, f"R{row.id[-6:]}"
        self.rows.save(row)
        if status == "failed":
            of.refunded -= row.amount
        if status == "processed" and self._given_back(of) >= of.amount:
            of.status = "reversed"
        self._transactions.save(of)
        await self._tell(row)

    def _given_back(self, of: Transaction) -> int:
        own = [row for row in self.rows if row.transaction_id == of.id]
        return sum(row.amount for row in own if row.status == "processed")

    async def _tell(self, row: Refund) -> None:
        of = self._transactions.get(row.transaction_id)
        if of is not None:
            body = views.refund_webhook(row, of)
            id_ = f"{row.id}:{body['event']}"
            await self._webhooks.tell(Message(id_, row.key, of.reference, body), row.way)
