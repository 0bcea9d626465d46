"""Puts the adapter before the stand-in, for Hazina's contract."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import uuid4

from core.collecting import Method
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from hazina_example_bank import EXAMPLE_BANK
from hazina_example_bank.stand_in import Plan, StandIn
from integrations.account import Account, Outside
from integrations.contract import CannotStage, Harness, Situation
from integrations.protocol import Intent
from integrations.webhooks import Webhook

PLANS: Final = {
    Situation.PAID: Plan(),
    Situation.LEFT_OPEN: Plan(payer="waits"),
    Situation.DECLINED: Plan(payer="lets_expire"),
    Situation.PAID_LESS: Plan(changes={"paid_minor": 100}),
    Situation.PAID_IN_OTHER_CURRENCY: Plan(changes={"currency": "USD"}),
    Situation.PAID_FOR_OTHER_TENANT: Plan(
        changes={"marks": {"payment_id": "pay_other", "tenant": "ten_other"}}
    ),
    Situation.BUSY: Plan(answer="busy", is_taken=False),
    Situation.TIMEOUT_BEFORE: Plan(answer="hang", is_taken=False),
    Situation.TIMEOUT_AFTER: Plan(answer="hang"),
    Situation.RESET_BEFORE: Plan(answer="drop", is_taken=False),
    Situation.RESET_AFTER: Plan(answer="drop"),
    Situation.SERVER_ERROR_BEFORE: Plan(answer="error", is_taken=False),
    Situation.SERVER_ERROR_AFTER: Plan(answer="error"),
    Situation.MALFORMED_BEFORE: Plan(answer="garbage", is_taken=False),
    Situation.MALFORMED_AFTER: Plan(answer="garbage"),
    Situation.REFUND_TIMEOUT_BEFORE: Plan("refund", answer="hang", is_taken=False),
    Situation.REFUND_TIMEOUT_AFTER: Plan("refund", answer="hang"),
}


class ExampleBankHarness(Harness):
    """A new account at the stand-in that is served at `url`."""

    integration = EXAMPLE_BANK

    def __init__(self, stand_in: StandIn, url: str, outside_: Outside, webhook_url: str = "") -> None:
        super().__init__()
        self.outside = outside_
        self.stand_in = stand_in
        self.told: list[Webhook] = []
        """Filled by whoever serves `webhook_url`."""
        key, secret = f"ebk_{uuid4().hex}", f"ebs_{uuid4().hex}"
        stand_in.keys[key] = (secret, webhook_url)
        self.account = Account(
            provider="example_bank",
            base_url=url,
            paths={},
            details={"merchant_name": "Example Ltd"},
            secrets={"api_key": key, "webhook_secret": secret},
        )

    def intent(self) -> Intent:
        id_ = new_id()
        return Intent(
            payment_id=outside(Kind.PAYMENT, id_),
            tenant=outside(Kind.TENANT, new_id()),
            attempt_key=str(id_),
            amount=Money(150_050, Currency.KES),
            reference="INV1042",
            description="Order 1042",
            method=Method.BANK_TRANSFER,
        )

    def unacceptable(self) -> Sequence[Intent]:
        return [replace(self.intent(), method=Method.CARD)]

    def wrong_account(self) -> Account:
        secrets = {**self.account.secrets, "api_key": f"ebk_{uuid4().hex}"}
        return replace(self.account, secrets=secrets)

    async def stage(self, situation: Situation) -> None:
        plan = PLANS.get(situation)
        if plan is None:
            raise CannotStage(situation)
        self.stand_in.plans.append(plan)

    async def settle(self) -> None:
        await self.stand_in.settle()

    async def collected(self, intent: Intent) -> Sequence[Money]:
        row = self.stand_in.collections.get(intent.attempt_key, {})
        return [intent.amount] if row.get("paid_minor") == intent.amount.minor else []

    async def given_back(self, intent: Intent) -> Sequence[Money]:
        return [
            Money(row["amount_minor"], Currency(row["currency"]))
            for row in self.stand_in.refunds.values()
            if row["collection"] == intent.attempt_key
        ]

    async def webhooks(self) -> Sequence[Webhook]:
        return self.told
