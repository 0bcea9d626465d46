"""The simulated payers: each acts after a while, on a prompt or a page."""

from datetime import UTC
from typing import Final

from integrations.sandbox.clockwork import Clockwork
from integrations.sandbox.paystack import views
from integrations.sandbox.paystack.rows import Transaction
from integrations.sandbox.plans import Plan
from integrations.sandbox.records import Records
from integrations.sandbox.settings import SandboxSettings
from integrations.sandbox.webhooks import Message, Webhooks

WAITING: Final = frozenset({"abandoned", "ongoing", "pending", "processing", "queued"})
"""Results that stay until a release, which lets the payer pay."""
ENTERED: Final = frozenset({"send_otp", "send_pin", "send_phone", "send_birthday", "send_address"})
"""Steps that a payer takes through the caller, not by himself."""


class Payers:
    """Of all transactions."""

    def __init__(
        self,
        transactions: Records[Transaction],
        clockwork: Clockwork,
        webhooks: Webhooks,
        settings: SandboxSettings,
    ) -> None:
        self._transactions = transactions
        self._clockwork = clockwork
        self._webhooks = webhooks
        self._settings = settings

    async def ask(self, row: Transaction) -> None:
        """Show the prompt or the page; what is done at once is done when this returns."""
        way = row.way
        row.status = way.result if way.result in WAITING else "abandoned" if row.is_page else "pending"
        self._transactions.save(row)
        if way.details.get("at_once") or (way.webhook == "before_response" and self._acts(row)):
            await self.act(row)
        else:
            self.go_on(row)

    def go_on(self, row: Transaction) -> None:
        """Let the payer act by himself, after a while."""
        if self._acts(row):
            delay_s = self._settings.think_time_s if row.way.delay_s is None else row.way.delay_s
            self._clockwork.start(row.id, delay_s, lambda: self.act(row))

    async def act(self, row: Transaction) -> None:
        """Do what was planned; once."""
        if row.has_acted:
            return
        way = row.way
        if way.result == "failed":
            row.has_acted, row.steps = True, []
            row.status, row.gateway_response = "failed", way.details.get("gateway_response", "Declined")
            self._transactions.save(row)
            if way.details.get("tell_failure"):
                await self._tell(row, way)
            return
        await self.pay(row)
        if way.result == "reversed":
            row.status = "reversed"
            self._transactions.save(row)

    async def pay(self, row: Transaction) -> None:
        """Pay now, whatever was before: late money is money."""
        if row.paid_at is not None:
            return
        row.has_acted, row.steps = True, []
        row.status, row.gateway_response = "success", "Successful"
        row.paid_at = (
            self._settings.clock().astimezone(UTC).replace(tzinfo=None).isoformat("T", "milliseconds")
        )
        self._transactions.save(row)
        await self._tell(row, row.way)

    async def release(self, row: Transaction) -> None:
        """Hide nothing of it any longer, and let who waits pay."""
        row.is_released = True
        self._transactions.save(row)
        await self._clockwork.hurry(row.id)
        if row.way.result in WAITING and not row.steps:
            await self.pay(row)

    async def _tell(self, row: Transaction, way: Plan) -> None:
        body = views.webhook_of(row)
        message = Message(f"{row.id}:{body['event']}", row.key, row.reference, body)
        await self._webhooks.tell(message, way)

    def _acts(self, row: Transaction) -> bool:
        is_asked = bool(ENTERED & set(row.steps[:1]))
        return not row.has_acted and not is_asked and row.way.result not in WAITING
