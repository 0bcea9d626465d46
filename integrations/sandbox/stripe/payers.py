"""What simulated payers and their banks do with an intent, and the events that tell of it."""

from typing import Any, Final

from core.clock import Clock
from integrations.sandbox.clockwork import Clockwork
from integrations.sandbox.records import Records
from integrations.sandbox.stripe.objects import ENDED, PaymentIntent, new_id, seconds
from integrations.sandbox.stripe.wire import event, other_currency
from integrations.sandbox.webhooks import Message, Webhooks

WAITING: Final = ("requires_action", "processing")


class Payers:
    """One deed for each intent, after a while."""

    def __init__(
        self,
        intents: Records[PaymentIntent],
        webhooks: Webhooks,
        clockwork: Clockwork,
        clock: Clock,
        *,
        think_time_s: float,
    ) -> None:
        self._intents = intents
        self._webhooks = webhooks
        self._clockwork = clockwork
        self._clock = clock
        self._think_time_s = think_time_s

    def ask(self, intent: PaymentIntent) -> None:
        """Leave the intent to its payer."""
        delay_s = intent.way.delay_s
        self._clockwork.start(
            intent.id, self._think_time_s if delay_s is None else delay_s, lambda: self.act(intent)
        )

    def resume(self) -> None:
        """Go on with what a restart cut off."""
        for intent in self._intents:
            if not intent.has_acted:
                self.ask(intent)

    async def act(self, intent: PaymentIntent) -> None:
        """Do what was planned; what waits for a control only begins here."""
        if intent.status in ENDED or intent.has_acted:
            return
        match intent.way.result:
            case "paid":
                await self.pay(intent)
            case "declined":
                await self.decline(intent)
            case "declined_then_paid":
                await self._decline_first(intent)
            case "requires_action":
                await self.require_action(intent)
            case "processing":
                await self.process(intent)
            case "processing_then_paid":
                await self._process_first(intent)
            case "canceled":
                await self.cancel(intent, intent.way.details["cancellation_reason"])
        # What is still waiting for its second step goes on by itself.
        intent.has_acted = intent.has_acted or not intent.way.result.endswith("_then_paid")
        self._intents.save(intent)

    async def pay(self, intent: PaymentIntent) -> None:
        """The bank agrees: the money is taken, or reserved where it is captured by hand."""
        self._clear(intent)
        intent.latest_charge = new_id("ch")
        intent.payment_method = intent.payment_method or new_id("pm")
        if intent.capture_method == "manual":
            intent.status, intent.amount_capturable = "requires_capture", intent.amount
            await self.tell(intent, "payment_intent.amount_capturable_updated")
        else:
            intent.status = "succeeded"
            intent.amount_received = intent.amount + intent.way.details.get("received_by", 0)
            _pay_otherwise(intent)
            await self.tell(intent, "payment_intent.succeeded")

    async def decline(self, intent: PaymentIntent) -> None:
        """The bank says no; the intent may be tried again."""
        self._clear(intent)
        intent.status = "requires_payment_method"
        intent.last_payment_error = card_error(intent.way.details)
        await self.tell(intent, "payment_intent.payment_failed")

    async def require_action(self, intent: PaymentIntent) -> None:
        """The bank wants the payer to confirm; a control or the URL does it."""
        self._clear(intent)
        intent.status = "requires_action"
        intent.next_action = self._next_action(intent)
        await self.tell(intent, "payment_intent.requires_action")

    async def process(self, intent: PaymentIntent) -> None:
        """The bank takes its time; a control ends it."""
        self._clear(intent)
        intent.status = "processing"
        await self.tell(intent, "payment_intent.processing")

    async def cancel(self, intent: PaymentIntent, reason: str) -> None:
        self._clear(intent)
        intent.status, intent.cancellation_reason = "canceled", reason
        intent.amount_capturable, intent.canceled_at = 0, seconds(self._clock())
        await self.tell(intent, "payment_intent.canceled")

    async def tell(self, intent: PaymentIntent, kind: str) -> None:
        """Save the intent, and send the event as its plan wants it."""
        self._intents.save(intent)
        body = event(kind, intent.as_json(), intent.key, seconds(self._clock()), intent.request)
        await self._webhooks.tell(Message(body["id"], intent.key, intent.id, body), intent.way)

    async def _decline_first(self, intent: PaymentIntent) -> None:
        if intent.last_payment_error is None:
            await self.decline(intent)
            self.ask(intent)
        else:
            await self.pay(intent)
            intent.has_acted = True

    async def _process_first(self, intent: PaymentIntent) -> None:
        if intent.status != "processing":
            await self.process(intent)
            self.ask(intent)
        else:
            await self.pay(intent)
            intent.has_acted = True

    def _clear(self, intent: PaymentIntent) -> None:
        intent.next_action, intent.last_payment_error = None, None

    def _next_action(self, intent: PaymentIntent) -> dict[str, Any]:
        if intent.way.details.get("display"):
            details = {"number": "0123456789", "expires_after": intent.created + 86_400}
            return {"type": "voucher_display_details", "voucher_display_details": details}
        if intent.return_url is None:
            return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
        url = f"{intent.base_url}/3ds/{intent.id}"
        return {
            "type": "redirect_to_url",
            "redirect_to_url": {"url": url, "return_url": intent.return_url},
        }


def _pay_otherwise(intent: PaymentIntent) -> None:
    """Make of it what nobody asked for, where that was planned."""
    details = intent.way.details
    intent.metadata |= details.get("metadata", {})
    intent.is_of_other_mode = bool(details.get("other_mode"))
    if details.get("other_currency"):
        intent.currency = other_currency(intent.currency)


def card_error(details: dict[str, Any]) -> dict[str, Any]:
    """As it stands in an error, and in `last_payment_error`."""
    code, decline_code = details.get("code", "card_declined"), details.get("decline_code")
    error = {
        "type": "card_error",
        "code": code,
        "message": f"Your card was declined ({decline_code or code}).",
        "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
    }
    return error if decline_code is None else {**error, "decline_code": decline_code}
