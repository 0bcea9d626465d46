"""The PaymentIntents API."""

import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

from core.clock import Clock
from integrations.sandbox.clockwork import Clockwork
from integrations.sandbox.plans import Plan
from integrations.sandbox.records import Records
from integrations.sandbox.stripe.calls import Call
from integrations.sandbox.stripe.forms import (
    choice,
    expanded,
    metadata_of,
    require_amount,
    require_charge,
    require_known,
    require_text,
)
from integrations.sandbox.stripe.objects import CANCELABLE, PaymentIntent, new_id, seconds
from integrations.sandbox.stripe.payers import WAITING, Payers, card_error
from integrations.sandbox.stripe.refusals import StripeError, invalid, missing

CREATE: Final = frozenset(
    {
        *("amount", "currency", "automatic_payment_methods", "payment_method_types", "metadata", "expand"),
        *("capture_method", "confirm", "payment_method", "return_url", "off_session", "customer"),
        *("error_on_requires_action", "description", "receipt_email", "statement_descriptor_suffix"),
        "setup_future_usage",
    }
)
CONFIRM: Final = frozenset(
    {
        *("payment_method", "return_url", "off_session", "receipt_email", "confirmation_token"),
        *("amount_to_confirm", "error_on_requires_action", "expand"),
    }
)
CAPTURE: Final = frozenset({"amount_to_capture", "final_capture", "metadata", "expand"})
CANCEL: Final = frozenset({"cancellation_reason", "expand"})
CANCEL_REASONS: Final = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
METHODS: Final[dict[str, dict[str, Any]]] = {
    "pm_card_chargeDeclined": {"code": "card_declined", "decline_code": "generic_decline"},
    "pm_card_chargeDeclinedInsufficientFunds": {
        "code": "card_declined",
        "decline_code": "insufficient_funds",
    },
    "pm_card_chargeDeclinedExpiredCard": {"code": "expired_card"},
    "pm_card_chargeDeclinedFraudulent": {"code": "card_declined", "decline_code": "fraudulent"},
}
"""Test methods that are declined; every other one pays."""
AUTHENTICATED: Final = "pm_card_authenticationRequired"
_METADATA_QUERY: Final = re.compile(r"metadata\['([^']+)'\]:'([^']*)'")
PAGE_MAX: Final = 100


class IntentsApi:
    """Over one book."""

    def __init__(
        self, intents: Records[PaymentIntent], payers: Payers, clockwork: Clockwork, clock: Clock
    ) -> None:
        self._intents = intents
        self._payers = payers
        self._clockwork = clockwork
        self._clock = clock

    async def create(self, call: Call) -> dict[str, Any]:
        require_known(call.form, CREATE)
        if "confirm" in call.form:
            raise invalid("The sandbox confirms in a call of its own.", param="confirm")
        amount, currency = require_charge(call.form)
        methods = call.form.get("automatic_payment_methods", {})
        intent = PaymentIntent(
            id=new_id("pi"),
            key=call.account.id,
            amount=amount,
            currency=currency,
            created=seconds(self._clock()),
            metadata=metadata_of(call.form),
            capture_method=choice(
                call.form, "capture_method", ("automatic", "automatic_async", "manual"), "automatic_async"
            ),
            plan=asdict(call.plan),
            allows_redirects=methods.get("allow_redirects", "always") != "never",
            description=call.form.get("description"),
            receipt_email=call.form.get("receipt_email"),
            request=call.request,
        )
        self._intents.save(intent)
        answer = intent.as_json()
        if call.plan.webhook == "before_response":
            await self._payers.act(intent)
        else:
            self._payers.ask(intent)
        return answer

    async def retrieve(self, call: Call) -> dict[str, Any]:
        intent = self.require(call)
        wanted = expanded(call.form)
        if call.account.details.get("restricted") and any("balance" in name for name in wanted):
            raise StripeError(403, "invalid_request_error", "The key may not read balance transactions.")
        if intent.way.query == "pending" and not intent.is_released:
            return intent.pending_json()
        return intent.as_json(wanted)

    async def confirm(self, call: Call) -> dict[str, Any]:
        require_known(call.form, CONFIRM)
        intent = self.require(call)
        if intent.status not in ("requires_payment_method", "requires_confirmation", "requires_action"):
            raise self._unexpected(intent, "confirm")
        if intent.allows_redirects and "return_url" not in call.form:
            raise invalid("Give a return_url, or allow no redirects.", param="return_url")
        self._begin(intent, call)
        intent.payment_method = require_text(call.form, "payment_method")
        intent.return_url, intent.base_url = call.form.get("return_url"), call.base_url
        plan = self._confirm_plan(call.plan, intent.payment_method)
        intent.plan, intent.has_acted = asdict(plan), False
        await self._payers.act(intent)
        if intent.last_payment_error is not None:
            raise _declined(intent)
        return intent.as_json()

    async def capture(self, call: Call) -> dict[str, Any]:
        require_known(call.form, CAPTURE)
        intent = self.require(call)
        if intent.status != "requires_capture":
            raise self._unexpected(intent, "capture")
        amount = intent.amount_capturable
        if "amount_to_capture" in call.form:
            amount = require_amount(call.form, "amount_to_capture", intent.currency)
        if amount > intent.amount_capturable:
            raise invalid("More than can be captured.", param="amount_to_capture", code="amount_too_large")
        self._begin(intent, call)
        intent.status, intent.amount_received, intent.amount_capturable = "succeeded", amount, 0
        await self._payers.tell(intent, "payment_intent.succeeded")
        return intent.as_json()

    async def cancel(self, call: Call) -> dict[str, Any]:
        require_known(call.form, CANCEL)
        intent = self.require(call)
        reason = choice(call.form, "cancellation_reason", CANCEL_REASONS, "abandoned")
        if intent.status not in CANCELABLE:
            raise self._unexpected(intent, "cancel")
        self._begin(intent, call)
        await self._payers.cancel(intent, reason)
        return intent.as_json()

    async def list(self, call: Call) -> dict[str, Any]:
        created = call.form.get("created", {})
        least, most = int(created.get("gte", 0)), int(created.get("lte", 2**40))
        chosen = [each for each in self._own(call) if least <= each.created <= most]
        wanted = frozenset(name.removeprefix("data.") for name in expanded(call.form))
        return page(call, [each.as_json(wanted) for each in reversed(chosen)])

    async def search(self, call: Call) -> dict[str, Any]:
        query = _METADATA_QUERY.fullmatch(require_text(call.form, "query"))
        if query is None:
            raise invalid("The sandbox searches metadata only.", param="query")
        name, value = query.groups()
        found = [each.as_json() for each in self._own(call) if each.metadata.get(name) == value]
        return {**page(call, found), "object": "search_result", "url": "/v1/payment_intents/search"}

    async def act(self, given: dict[str, Any]) -> dict[str, Any]:
        """`{"reference", "outcome"}`: what waits in requires_action or processing is paid or declined."""
        intent = self._intents.get(str(given.get("reference", "")))
        if intent is None or intent.status not in (*WAITING, "requires_payment_method"):
            raise ValueError("no such intent waits for anybody")
        if given.get("outcome", "paid") == "paid":
            await self._payers.pay(intent)
        else:
            intent.plan["details"] = {"code": "payment_intent_authentication_failure"}
            await self._payers.decline(intent)
        return {"status": intent.status}

    def require(self, call: Call) -> PaymentIntent:
        intent = self._intents.get(call.id)
        if intent is None or intent.key != call.account.id:
            raise missing("payment_intent", call.id)
        return intent

    def _own(self, call: Call) -> Iterable[PaymentIntent]:
        return (each for each in self._intents if each.key == call.account.id)

    def _begin(self, intent: PaymentIntent, call: Call) -> None:
        """From now on the payer of the creation does nothing more."""
        self._clockwork.cut(intent.id)
        intent.has_acted, intent.request = True, call.request

    def _confirm_plan(self, plan: Plan, method: str) -> Plan:
        """A planned outcome goes before what the test method stands for."""
        if plan.kind != "success":
            return plan
        if method == AUTHENTICATED:
            return Plan(kind="requires_action", operation="confirm", result="requires_action")
        if method in METHODS:
            return Plan(kind="declined", operation="confirm", result="declined", details=METHODS[method])
        return plan

    def _unexpected(self, intent: PaymentIntent, deed: str) -> StripeError:
        return StripeError(
            400,
            "invalid_request_error",
            f"You cannot {deed} this PaymentIntent because it has a status of {intent.status}.",
            code="payment_intent_unexpected_state",
            payment_intent=intent.as_json(),
        )


def page(call: Call, items: list[dict[str, Any]]) -> dict[str, Any]:
    """A page of a list, after `starting_after`."""
    limit = int(call.form.get("limit", 10))
    if not 1 <= limit <= PAGE_MAX:
        raise invalid("Limit is 1 to 100.", param="limit")
    after = call.form.get("starting_after")
    ids = [item["id"] for item in items]
    if after is not None and after not in ids:
        raise missing("object", str(after))
    start = 0 if after is None else ids.index(after) + 1
    return {
        "object": "list",
        "data": items[start : start + limit],
        "has_more": len(items) > start + limit,
        "url": "/v1",
    }


def _declined(intent: PaymentIntent) -> StripeError:
    error = card_error(intent.way.details)
    message, kind, code = error.pop("message"), error.pop("type"), error.pop("code")
    more = {**error, "charge": new_id("ch"), "payment_intent": intent.as_json()}
    return StripeError(402, kind, message, code=code, **more)
