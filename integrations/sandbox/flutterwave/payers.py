"""Those who pay at Flutterwave's sandbox: on a phone, or on a hosted page."""

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from integrations.sandbox.clockwork import Clockwork
from integrations.sandbox.flutterwave.rows import (
    FAILED,
    PENDING,
    SUCCESSFUL,
    Link,
    Refund,
    Transaction,
    stamp,
)
from integrations.sandbox.flutterwave.wire import charge_event, refund_event
from integrations.sandbox.plans import Plan
from integrations.sandbox.records import Records
from integrations.sandbox.settings import SandboxSettings
from integrations.sandbox.webhooks import Message, Webhooks

FIRST_TRANSACTION: Final = 4_000_001
FIRST_REFUND: Final = 8_001
APPROVED: Final = "Approved"
DECLINED: Final = "Transaction declined"
OPTION_TYPES: Final = {"banktransfer": "bank_transfer", "account": "account"}


class Payers:
    """Acts on transactions and pages, and has each act told."""

    def __init__(
        self,
        settings: SandboxSettings,
        clockwork: Clockwork,
        webhooks: Webhooks,
        *,
        transactions: Records[Transaction],
        links: Records[Link],
        refunds: Records[Refund],
    ) -> None:
        self._settings = settings
        self._clockwork = clockwork
        self._webhooks = webhooks
        self._transactions = transactions
        self._links = links
        self._refunds = refunds

    @property
    def now(self) -> datetime:
        return self._settings.clock()

    def begin(self, kind: str, body: dict[str, Any], customer: dict[str, Any], plan: Plan) -> Transaction:
        """A transaction that waits for its payer; `body` has been checked. `key` and `meta` are in it."""
        row = Transaction(
            id=str(FIRST_TRANSACTION + len(self._transactions)),
            key=body["key"],
            tx_ref=body["tx_ref"],
            amount=body["amount"],
            currency=body["currency"],
            payment_type=kind,
            customer=customer,
            meta=body["meta"],
            plan=asdict(plan),
            created_at=stamp(self.now),
        )
        self._transactions.save(row)
        return row

    async def wait_for(self, row: Transaction) -> None:
        """Have the payer act after a moment; at once where that is to be told before the response."""
        if row.way.webhook == "before_response":
            await self.act(row, self._outcome_of(row.way))
        elif row.way.result != "never":
            self._clockwork.start(_name(row), self._pause_s(row.way), partial(self._act_as_planned, row))

    def visit(self, link: Link) -> None:
        """Have a payer open the page after a moment, and pay there as planned."""
        if link.way.result != "never":
            self._clockwork.start(link.tx_ref, self._pause_s(link.way), partial(self._pay_page, link))

    async def attempt(self, link: Link, result: str, said: str = "") -> Transaction:
        """One attempt on a page: `paid`, or anything else for a failure."""
        body = {
            "key": link.key,
            "tx_ref": link.tx_ref,
            "meta": link.meta,
            "amount": link.amount,
            "currency": link.currency,
        }
        option = link.options.split(",")[0].strip()
        row = self.begin(OPTION_TYPES.get(option, option), body, link.customer, link.way)
        link.attempts += 1
        self._links.save(link)
        await self.act(row, (SUCCESSFUL, APPROVED) if result == "paid" else (FAILED, said or DECLINED))
        return row

    async def act(self, row: Transaction, outcome: tuple[str, str]) -> None:
        """What the payer did, once; it is told."""
        if row.status != PENDING:
            return
        row.status, row.said = outcome
        if row.status == SUCCESSFUL:
            _distort(row)
        self._transactions.save(row)
        await self.tell(row)

    async def tell(self, row: Transaction) -> None:
        name = f"{row.id}-{len(self._webhooks.messages)}"
        message = Message(name, row.key, row.tx_ref, charge_event(row))
        await self._webhooks.tell(message, row.way)

    def give_back(self, row: Transaction, amount: str, comments: str, plan: Plan) -> Refund:
        """Begin a refund: `completed`, which says only that; a moment later the money is out."""
        refund = Refund(
            id=str(FIRST_REFUND + len(self._refunds)),
            key=row.key,
            transaction_id=row.id,
            tx_ref=row.tx_ref,
            amount=amount,
            currency=row.currency,
            comments=comments,
            status="completed" if plan.result == "paid" else plan.result,
            created_at=stamp(self.now),
            plan=asdict(plan),
        )
        self._refunds.save(refund)
        self._finish_later(refund, self._pause_s(plan))
        return refund

    def resume(self) -> None:
        """Go on with what a restart cut off."""
        for row in self._transactions:
            if row.status == PENDING and row.way.result != "never":
                self._clockwork.start(_name(row), 0.0, partial(self._act_as_planned, row))
        for link in self._links:
            if link.attempts == 0 and link.is_active and link.way.answer == "normal":
                self.visit(link)
        for refund in self._refunds:
            self._finish_later(refund, 0.0)

    async def hurry(self, tx_ref: str | None) -> None:
        """Let payers act now: of one reference, or all of them."""
        for link in self._links:
            if tx_ref in (None, link.tx_ref):
                await self._clockwork.hurry(link.tx_ref)
        for row in self._transactions:
            if tx_ref in (None, row.tx_ref):
                await self._clockwork.hurry(_name(row))
                row.is_released = True
                self._transactions.save(row)
        for refund in self._refunds:
            if tx_ref in (None, refund.tx_ref):
                await self._clockwork.hurry(refund.id)

    def has_paid(self, tx_ref: str, key: str) -> bool:
        return any(
            row.status == SUCCESSFUL for row in self._transactions if (row.tx_ref, row.key) == (tx_ref, key)
        )

    async def _act_as_planned(self, row: Transaction) -> None:
        await self.act(row, self._outcome_of(row.way))

    async def _pay_page(self, link: Link) -> None:
        # One person pays once, however many pages were made for it.
        if not link.is_active or self.has_paid(link.tx_ref, link.key):
            return
        plan = link.way
        if plan.result == "failed_then_paid":
            await self.attempt(link, FAILED)
            await self.attempt(link, "paid")
            return
        await self.attempt(link, plan.result, str(plan.details.get("said", "")))

    def _finish_later(self, refund: Refund, delay_s: float) -> None:
        if refund.way.result == "paid" and refund.status == "completed":
            row = self._transactions.get(refund.transaction_id)
            word = "completed-momo" if row is not None and row.payment_type == "mpesa" else "completed-mpgs"
            self._clockwork.start(refund.id, delay_s, partial(self._finish, refund, word))

    async def _finish(self, refund: Refund, word: str) -> None:
        refund.status = word
        self._refunds.save(refund)
        name = f"refund-{refund.id}-{len(self._webhooks.messages)}"
        await self._webhooks.tell(Message(name, refund.key, refund.tx_ref, refund_event(refund)), refund.way)

    def _outcome_of(self, plan: Plan) -> tuple[str, str]:
        if plan.result == FAILED:
            return FAILED, str(plan.details.get("said") or DECLINED)
        return SUCCESSFUL, APPROVED

    def _pause_s(self, plan: Plan) -> float:
        return self._settings.think_time_s if plan.delay_s is None else plan.delay_s


def _distort(row: Transaction) -> None:
    """What the payer paid otherwise than was asked: amount, currency, or the marks it carries."""
    details = row.way.details
    row.amount = f"{Decimal(row.amount) + Decimal(str(details.get('paid', 0))):f}"
    row.currency = str(details.get("currency", row.currency))
    row.meta = {**row.meta, **details.get("meta", {})}


def _name(row: Transaction) -> str:
    return f"transaction-{row.id}"
