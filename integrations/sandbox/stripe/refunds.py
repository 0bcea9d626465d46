"""The Refunds API, and disputes, which only a control opens."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

from core.clock import Clock
from integrations.sandbox.clockwork import Clockwork
from integrations.sandbox.plans import Plan
from integrations.sandbox.records import Records
from integrations.sandbox.stripe.calls import Call
from integrations.sandbox.stripe.forms import metadata_of, require_amount, require_known, require_text
from integrations.sandbox.stripe.intents import page
from integrations.sandbox.stripe.objects import Dispute, PaymentIntent, Refund, new_id, seconds
from integrations.sandbox.stripe.refusals import StripeError, invalid, missing
from integrations.sandbox.stripe.wire import event
from integrations.sandbox.webhooks import Message, Webhooks

CREATE: Final = frozenset({"payment_intent", "charge", "amount", "reason", "metadata", "expand"})
REASONS: Final = ("duplicate", "fraudulent", "requested_by_customer")
ANSWER_DAYS_S: Final = 7 * 86_400
DISPUTE_STEPS: Final = ("created", "closed", "funds_withdrawn", "funds_reinstated")


class RefundsApi:
    """Over one book."""

    def __init__(
        self,
        intents: Records[PaymentIntent],
        refunds: Records[Refund],
        disputes: Records[Dispute],
        *,
        webhooks: Webhooks,
        clockwork: Clockwork,
        clock: Clock,
        think_time_s: float,
    ) -> None:
        self._intents = intents
        self._refunds = refunds
        self._disputes = disputes
        self._webhooks = webhooks
        self._clockwork = clockwork
        self._clock = clock
        self._think_time_s = think_time_s

    async def create(self, call: Call) -> dict[str, Any]:
        require_known(call.form, CREATE)
        intent = self._paid_intent(call)
        left = intent.amount_received - self.refunded(intent)
        amount = left
        if "amount" in call.form:
            amount = require_amount(call.form, "amount", intent.currency)
        if left <= 0:
            raise StripeError(
                400,
                "invalid_request_error",
                f"Charge {intent.latest_charge} has already been refunded.",
                code="charge_already_refunded",
            )
        if amount > left:
            raise invalid("Refund amount is greater than what is left.", param="amount")
        if call.form.get("reason") not in (None, *REASONS):
            raise invalid("Invalid reason", param="reason")
        refund = self._new(call, intent, amount)
        answer = refund.as_json()
        await self._tell(refund, "refund.created", call.plan)
        if refund.status == "succeeded":
            await self._tell_charge(intent, call.plan)
        self.go_on(refund)
        return answer

    async def retrieve(self, call: Call) -> dict[str, Any]:
        refund = self._refunds.get(call.id)
        if refund is None or refund.key != call.account.id:
            raise missing("refund", call.id)
        return refund.as_json()

    async def list(self, call: Call) -> dict[str, Any]:
        wanted = call.form.get("payment_intent")
        own = [
            each.as_json()
            for each in self._refunds
            if each.key == call.account.id and wanted in (None, each.payment_intent)
        ]
        return page(call, own[::-1])

    def refunded(self, intent: PaymentIntent) -> int:
        """What of a payment is given back, or on its way."""
        return sum(each.amount for each in self._of(intent) if each.is_given)

    def resume(self) -> None:
        for refund in self._refunds:
            self.go_on(refund)

    def go_on(self, refund: Refund) -> None:
        """Take the refund's next step after a while, if one is planned."""
        if refund.steps:
            delay_s = refund.way.delay_s
            self._clockwork.start(
                refund.id, self._think_time_s if delay_s is None else delay_s, lambda: self._step(refund)
            )

    async def dispute(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"reference", "step", "status", "reason", "amount", "fee"}`: open a dispute, or tell a step."""
        intent = self._intents.get(str(given.get("reference", "")))
        step = str(given.get("step", "created"))
        if intent is None or intent.latest_charge is None or step not in DISPUTE_STEPS:
            raise ValueError(f"give a paid intent, and a step of {', '.join(DISPUTE_STEPS)}")
        found = next((each for each in self._disputes if each.payment_intent == intent.id), None)
        dispute = found or self._open(intent, given)
        dispute.status = str(given.get("status", dispute.status))
        dispute.fee = int(given.get("fee", dispute.fee))
        dispute.move(step)
        self._disputes.save(dispute)
        body = event(f"charge.dispute.{step}", dispute.as_json(), intent.key, seconds(self._clock()), {})
        await self._webhooks.tell(Message(body["id"], intent.key, intent.id, body), Plan())
        return dispute.as_json()

    async def finish(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"refund", "status"}`: end a refund that waits, or fail one that had succeeded."""
        refund = self._refunds.get(str(given.get("refund", "")))
        if refund is None:
            raise ValueError("no such refund")
        refund.steps = [str(given.get("status", "succeeded"))]
        await self._step(refund)
        return refund.as_json()

    def _paid_intent(self, call: Call) -> PaymentIntent:
        intent = self._intents.get(require_text(call.form, "payment_intent"))
        if intent is None or intent.key != call.account.id:
            raise missing("payment_intent", str(call.form["payment_intent"]))
        if intent.latest_charge is None or not intent.amount_received:
            raise invalid("This PaymentIntent does not have a successful charge to refund.")
        return intent

    def _new(self, call: Call, intent: PaymentIntent, amount: int) -> Refund:
        result = call.plan.result if call.plan.result != "paid" else "succeeded"
        status, _, later = result.partition("_then_")
        refund = Refund(
            id=new_id("re"),
            key=call.account.id,
            payment_intent=intent.id,
            charge=intent.latest_charge or "",
            amount=amount,
            currency=intent.currency,
            created=seconds(self._clock()),
            metadata=metadata_of(call.form),
            plan=asdict(call.plan),
            status=status,
            reason=call.form.get("reason"),
            pending_reason=call.plan.details.get("pending_reason", "processing"),
            steps=[later] if later else [],
        )
        self._refunds.save(refund)
        return refund

    async def _step(self, refund: Refund) -> None:
        refund.status = refund.steps.pop(0)
        if refund.status == "failed":
            refund.failure_reason = refund.way.details.get("failure_reason", "unknown")
        self._refunds.save(refund)
        kind = "refund.failed" if refund.status == "failed" else "refund.updated"
        await self._tell(refund, kind, refund.way)

    async def _tell(self, refund: Refund, kind: str, plan: Plan) -> None:
        body = event(kind, refund.as_json(), refund.key, seconds(self._clock()), {})
        await self._webhooks.tell(Message(body["id"], refund.key, refund.payment_intent, body), plan)

    async def _tell_charge(self, intent: PaymentIntent, plan: Plan) -> None:
        charge = intent.charge_json(refunded=self.refunded(intent))
        body = event("charge.refunded", charge, intent.key, seconds(self._clock()), {})
        await self._webhooks.tell(Message(body["id"], intent.key, intent.id, body), plan)

    def _of(self, intent: PaymentIntent) -> Iterable[Refund]:
        return (each for each in self._refunds if each.payment_intent == intent.id)

    def _open(self, intent: PaymentIntent, given: dict[str, Any]) -> Dispute:
        now = seconds(self._clock())
        return Dispute(
            id=new_id("dp"),
            key=intent.key,
            payment_intent=intent.id,
            charge=intent.latest_charge or "",
            amount=int(given.get("amount", intent.amount_received)),
            currency=intent.currency,
            created=now,
            reason=str(given.get("reason", "product_not_received")),
            status="needs_response",
            due_by=now + ANSWER_DAYS_S,
            is_live=intent.is_live,
        )
