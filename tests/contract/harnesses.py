"""The sandboxes of the built-in providers, as the contract's checks want them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from core.collecting import CaptureMode, Method
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from core.phone import Phone
from integrations.account import Account, Outside
from integrations.contract import CannotStage, Harness, Situation
from integrations.flutterwave.building import FLUTTERWAVE
from integrations.mpesa.building import MPESA
from integrations.paystack.building import PAYSTACK
from integrations.protocol import Intent, Paid, Question, RefundRequest
from integrations.sandbox import daraja_keys, demo
from integrations.stripe.building import STRIPE
from tests.contract.sandboxes import COMMON, PHONE, TENANT, Letterbox, SandboxHarness
from tests.sandbox import RunningSandbox


class FlutterwaveHarness(SandboxHarness):
    """Prompts on phones."""

    integration = FLUTTERWAVE
    secret_name = "webhook_hash"
    signature_covers_body = False
    own: Mapping[Situation, str | dict[str, Any]] = {
        Situation.LEFT_OPEN: "never",
        Situation.DECLINED: "insufficient_funds",
        Situation.PAID_LESS: "underpaid",
        Situation.PAID_IN_OTHER_CURRENCY: "paid_in_other_currency",
        Situation.PAID_FOR_OTHER_TENANT: "paid_for_other_tenant",
    }

    def new_key(self) -> str:
        return f"FLWSECK_TEST-{uuid4().hex}-X"

    def unacceptable(self) -> Sequence[Intent]:
        return [
            replace(self.intent(), amount=Money(150_050, Currency.KES)),
            replace(self.intent(), email=None),
            replace(self.intent(), method=Method.CARD, return_url=None),
        ]


class FlutterwavePages(FlutterwaveHarness):
    """Hosted pages."""

    own: Mapping[Situation, str | dict[str, Any]] = {
        **FlutterwaveHarness.own,
        Situation.PAID_IN_OTHER_CURRENCY: {
            "kind": "paid_in_other_currency",
            "details": {"currency": "KES"},
        },
    }

    def unacceptable(self) -> Sequence[Intent]:
        return [replace(self.intent(), email=None), replace(self.intent(), return_url=None)]

    def intent(self) -> Intent:
        return replace(super().intent(), method=Method.CARD, amount=Money(1_999, Currency.USD))


class PaystackHarness(SandboxHarness):
    """Prompts on phones; its webhooks are signed with the secret key itself."""

    integration = PAYSTACK
    refund_is_idempotent = False
    secret_name = "secret_key"
    own: Mapping[Situation, str | dict[str, Any]] = {
        Situation.LEFT_OPEN: "ongoing",
        Situation.DECLINED: "insufficient_funds",
        Situation.PAID_LESS: "underpaid",
        Situation.PAID_IN_OTHER_CURRENCY: "other_currency",
        Situation.PAID_FOR_OTHER_TENANT: "other_tenant",
    }

    def new_webhook_secret(self) -> str:
        return self.key


class PaystackPages(PaystackHarness):
    """Hosted pages."""

    def intent(self) -> Intent:
        return replace(super().intent(), method=Method.CARD)


class StripeHarness(SandboxHarness):
    """Cards."""

    integration = STRIPE
    secret_name = "webhook_secret"
    own: Mapping[Situation, str | dict[str, Any]] = {
        Situation.LEFT_OPEN: "ignored",
        Situation.DECLINED: "card_declined",
        Situation.PAID_LESS: "paid_less",
        Situation.PAID_IN_OTHER_CURRENCY: "paid_in_other_currency",
        Situation.PAID_FOR_OTHER_TENANT: "paid_for_other_tenant",
    }

    def details(self) -> Mapping[str, str | None]:
        return {"publishable_key": "pk_test_contract"}

    def intent(self) -> Intent:
        return replace(super().intent(), method=Method.CARD, amount=Money(1_999, Currency.USD))

    def manual_intent(self) -> Intent:
        return replace(self.intent(), capture=CaptureMode.MANUAL)


SERVER_ERROR: Final = {
    "kind": "busy",
    "is_taken": True,
    "error_code": "500.002.1001",
    "error_message": "System internal error.",
}


class MpesaHarness(Harness):
    """The demo PayBill; each payment is known in the book by its account reference."""

    integration = MPESA
    creation_is_idempotent = False
    carries_our_marks = False
    outcomes: Mapping[Situation, str | dict[str, Any]] = {
        **{situation: name for situation, name in COMMON.items() if isinstance(name, str)},
        Situation.DECLINED: "insufficient_funds",
        Situation.LEFT_OPEN: "query_pending",
        Situation.SERVER_ERROR_BEFORE: {**SERVER_ERROR, "is_taken": False},
        Situation.SERVER_ERROR_AFTER: SERVER_ERROR,
        Situation.MALFORMED_BEFORE: {"kind": "html", "is_taken": False},
        Situation.REFUND_TIMEOUT_BEFORE: {"kind": "timeout_before_acceptance", "operation": "reversal"},
        Situation.REFUND_TIMEOUT_AFTER: {"kind": "timeout_after_acceptance", "operation": "reversal"},
    }

    def __init__(self, sandbox: RunningSandbox, outside_: Outside, letterbox: Letterbox) -> None:
        super().__init__()
        self.outside = outside_
        self.sandbox = sandbox
        self.account = Account(
            provider="mpesa",
            base_url=sandbox.mpesa_url,
            paths={},
            details={
                "kind": "paybill",
                "short_code": demo.DEMO_PAYBILL,
                "initiator_name": demo.DEMO_INITIATOR,
            },
            secrets={
                "consumer_key": demo.DEMO_CONSUMER_KEY,
                "consumer_secret": demo.DEMO_CONSUMER_SECRET,
                "passkey": demo.DEMO_PASSKEY,
                "initiator_password": demo.DEMO_INITIATOR_PASSWORD,
            },
            settings={"certificates": {"sandbox": daraja_keys.CERTIFICATE}},
        )

    async def open(self) -> "MpesaHarness":
        await self.sandbox.reset()
        return self

    def intent(self) -> Intent:
        id_ = new_id()
        return Intent(
            payment_id=outside(Kind.PAYMENT, id_),
            tenant=TENANT,
            attempt_key=str(id_),
            amount=Money(150_000, Currency.KES),
            reference=f"C{uuid4().hex[:11]}".upper(),
            description="Order 1042",
            phone=PHONE,
            callback_url="http://127.0.0.1:9/hooks/contract/prompt",
        )

    def unacceptable(self) -> Sequence[Intent]:
        return [
            replace(self.intent(), amount=Money(150_050, Currency.KES)),
            replace(self.intent(), amount=Money(150_000, Currency.USD)),
            replace(self.intent(), phone=Phone.parse("+256700000001")),
            replace(self.intent(), phone=None),
        ]

    def wrong_account(self) -> Account:
        secrets = {**self.account.secrets, "consumer_secret": "not-the-consumer-secret"}
        return replace(self.account, secrets=secrets)

    async def stage(self, situation: Situation) -> None:
        outcome = self.outcomes.get(situation)
        if outcome is None:
            raise CannotStage(f"M-Pesa can't be made to: {situation}")
        await self.sandbox.control("mpesa/next", outcomes=[outcome])

    async def settle(self) -> None:
        await self.sandbox.release()

    async def collected(self, intent: Intent) -> Sequence[Money]:
        return [_shillings(row) for row in (await self.sandbox.book())["paid"] if _is_for(row, intent)]

    async def given_back(self, intent: Intent) -> Sequence[Money]:
        book = await self.sandbox.book()
        receipts = {row["receipt"] for row in book["paid"] if _is_for(row, intent)}
        return [_shillings(row) for row in book["refunded"] if row["receipt"] in receipts]

    async def refund_of(self, intent: Intent, question: Question, paid: Paid, amount: Money) -> RefundRequest:
        """A query tells no receipt: the callback and the confirmation do, and here the book."""
        rows = [row for row in (await self.sandbox.book())["paid"] if _is_for(row, intent)]
        refund = await super().refund_of(intent, question, paid, amount)
        receipt = rows[0]["receipt"] if rows else None
        return replace(refund, receipt=receipt, result_url="http://127.0.0.1:9/hooks/contract/refund")


def _is_for(row: Mapping[str, Any], intent: Intent) -> bool:
    return bool(row["reference"] == intent.reference)


def _shillings(row: Mapping[str, Any]) -> Money:
    return Money.of_major(Decimal(row["amount"]), Currency.KES)
