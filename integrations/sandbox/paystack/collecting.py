"""Pages, charges and what is asked about them.

Source: Paystack, sections 2 to 4.
"""

import secrets
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC
from typing import Any, Final

from integrations.sandbox.paystack import checks, views
from integrations.sandbox.paystack.calls import Call, envelope, listed
from integrations.sandbox.paystack.checks import Refused
from integrations.sandbox.paystack.payers import Payers
from integrations.sandbox.paystack.rows import Transaction, business_of, new_number
from integrations.sandbox.plans import Plan, Plans
from integrations.sandbox.records import Records
from integrations.sandbox.settings import SandboxSettings

WRONG: Final = frozenset({"000000", "0000", "wrong"})
"""What a payer enters who does not know it better."""


class Collecting:
    """Of one sandbox."""

    def __init__(
        self, transactions: Records[Transaction], plans: Plans, payers: Payers, settings: SandboxSettings
    ) -> None:
        self._transactions = transactions
        self._plans = plans
        self._payers = payers
        self._settings = settings

    def read(self, call: Call, *, is_page: bool) -> Transaction:
        """Check what is to be collected, and take the plan that fits.

        Raises:
            Refused: a field is missing or wrong, or the reference was used.
        """
        body, key, business = call.body, call.account.id, business_of(call.account)
        email, amount = checks.require_email(body), checks.require_amount(body)
        currency = checks.require_currency(body, _served(call))
        reference = checks.require_reference(body)
        wallet = {} if is_page else checks.require_wallet(body, amount)
        channel = checks.require_channels(body)[0] if is_page else "mobile_money"
        if self._transactions.get(f"{business}/{reference}") is not None:
            raise Refused(400, "Duplicate Transaction Reference", code="duplicate_reference")
        row = Transaction(
            id=f"{business}/{reference}",
            key=key,
            business=business,
            number=new_number(),
            reference=reference,
            email=email,
            amount=amount,
            currency=currency,
            channel=channel,
            created_at=self._settings.clock()
            .astimezone(UTC)
            .replace(tzinfo=None)
            .isoformat("T", "milliseconds"),
            plan={},
            is_page=is_page,
            metadata=body.get("metadata"),
            callback_url=str(body.get("callback_url") or ""),
            access_code=secrets.token_hex(8),
            wallet=wallet,
        )
        phone = wallet.get("phone", "").removeprefix("+")
        way = self._plans.next(key, "create", payment_id=row.payment_id, reference=reference, phone=phone)
        row.plan, row.steps = asdict(way), list(way.details.get("steps", []))
        row.page_url = f"{call.home}/pay/{row.access_code}"
        return row

    async def initialize(self, row: Transaction) -> dict[str, Any]:
        await self._payers.ask(row)
        return envelope("Authorization URL created", _answered(row, views.page(row)))

    async def charge(self, row: Transaction) -> dict[str, Any]:
        await self._payers.ask(row)
        told = views.asked(row) if row.way.webhook == "before_response" else views.charge(row)
        return envelope("Charge attempted", _answered(row, told))

    async def submit(self, call: Call) -> dict[str, Any]:
        """Take one step of the payer: `submit_otp`, `submit_pin` and their like."""
        what = call.path["what"]
        row = self.known(
            call, checks.require_text(call.body, "reference"), "Transaction reference is invalid"
        )
        entered = checks.require_text(call.body, what)
        if row.steps[:1] != [f"send_{what}"]:
            raise Refused(400, f"Charge does not wait for {what}", code="invalid_step")
        if entered in WRONG:
            raise Refused(400, f"Invalid {what}", code="invalid_step")
        row.steps.pop(0)
        self._transactions.save(row)
        if not row.steps:
            await self._payers.act(row)
        return envelope("Charge attempted", views.charge(row))

    def check(self, call: Call) -> dict[str, Any]:
        row = self.known(call, call.path["reference"], "Transaction reference is invalid")
        return envelope("Reference check successful", views.charge(row))

    def verify(self, call: Call) -> dict[str, Any]:
        unknown = "Transaction reference not found"
        row = self.known(call, call.path["reference"], unknown)
        if row.way.details.get("told", {}).get("unknown") and not row.is_released:
            raise Refused(400, unknown, code="transaction_not_found")
        data = views.verified(row)
        if row.way.query == "pending" and not row.is_released:
            # Nobody can see yet that it is paid.
            data |= {"status": "ongoing", "paid_at": None, "fees": None, "gateway_response": ""}
        return envelope("Verification successful", data)

    def show(self, call: Call) -> dict[str, Any]:
        for row in self.of(call):
            if str(row.number) == call.path["id"]:
                return envelope("Transaction retrieved", views.verified(row))
        raise Refused(404, "Transaction not found", code="transaction_not_found")

    def list(self, call: Call) -> dict[str, Any]:
        wanted = {name: call.query[name] for name in ("status", "amount") if name in call.query}
        rows = [
            row
            for row in self.of(call)
            if all(str(getattr(row, name)) == value for name, value in wanted.items())
        ]
        return listed(call, rows, views.verified)

    def balance(self, call: Call) -> dict[str, Any]:
        kept = dict.fromkeys(_served(call), 0)
        for row in self.of(call):
            if row.paid_at is not None:
                kept[row.currency] += row.amount - row.fees - row.refunded
        data = [{"currency": currency, "balance": balance} for currency, balance in kept.items()]
        return envelope("Balances retrieved", data)

    def known(self, call: Call, reference: str, unknown: str) -> Transaction:
        row = self._transactions.get(f"{business_of(call.account)}/{reference}")
        if row is None:
            raise Refused(400, unknown, code="transaction_not_found")
        return row

    def of(self, call: Call) -> Iterator[Transaction]:
        business = business_of(call.account)
        return (row for row in self._transactions if row.business == business)

    def plan_for(self, call: Call, operation: str) -> Plan:
        reference = call.path.get("reference") or call.body.get("reference")
        return self._plans.next(call.account.id, operation, reference=reference)


def _served(call: Call) -> tuple[str, ...]:
    given = call.account.details.get("currencies", "")
    return tuple(given.split(",")) if given else checks.CURRENCIES


def _answered(row: Transaction, data: dict[str, Any]) -> dict[str, Any]:
    return {} if row.way.details.get("malformed") else data
