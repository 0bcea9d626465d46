"""Compares what the sandbox's book says was paid with what the databases say."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import httpx

from core.ids import Kind, inside
from tests.running import Running

LADDER_S: Final = [2, 4, 7, 10, 15, 20, 30, 40, 50, 60, 75, 90, 110, 130, 150, 180, 210, 240, 300, 360, 420]
OPEN: Final = "('created', 'submitting', 'pending', 'unknown')"
WAITING: Final = (
    f"SELECT 'payment ' || id || ' ' || status FROM payments WHERE status IN {OPEN}"  # noqa: S608 - a constant
    " AND NOT (status = 'unknown' AND provider_reference IS NULL)"
    " UNION ALL SELECT 'message ' || id || ' ' || state FROM inbox WHERE state = 'received'"
    " UNION ALL SELECT 'job ' || kind || ' ' || state FROM outbox"
    " WHERE state IN ('pending', 'running') AND kind <> 'poll_payment'"
)


@dataclass(frozen=True, slots=True)
class Books:
    """The sandbox and the databases of the demo business."""

    running: Running
    sandbox: httpx.AsyncClient
    tenant: asyncpg.Pool
    owner: asyncpg.Pool

    async def hasten(self) -> None:
        """Ask soon about payments that nobody tells of, and do not count what the tills ask for."""
        await self.owner.execute(
            "UPDATE payment_providers SET"
            " settings = jsonb_set(settings, '{poll_ladder_s}', to_jsonb($1::int[])) WHERE code = 'mpesa'",
            LADDER_S,
        )
        await self.owner.execute(
            "UPDATE tenants SET tier_id = (SELECT id FROM tiers WHERE code = 'enterprise') WHERE id = $1",
            inside(Kind.TENANT, self.running.demo["tenant"]["id"]),
        )

    async def waiting(self) -> list[str]:
        """What may still change by itself: open payments that can be asked for, and messages not read yet."""
        try:
            return [row[0] for row in await self.tenant.fetch(WAITING)]
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            # The last of the kills may have hit it.
            return [f"the database: {error}"]

    async def tell_the_rest(self) -> None:
        """Have M-Pesa tell now what it kept back, and confirm what it told nobody who listened."""
        (await self.sandbox.post("/_control/mpesa/release", json={})).raise_for_status()
        for prompt in (await self.book())["stk"]:
            if prompt["receipt"] and not any(told.endswith(": 200") for told in prompt["told"]):
                payment = {
                    "short_code": prompt["short_code"],
                    "amount": f"{prompt['amount']}.00",
                    "phone": prompt["phone"],
                    "reference": prompt["reference"],
                    "receipt": prompt["receipt"],
                }
                (await self.sandbox.post("/_control/mpesa/c2b", json=payment)).raise_for_status()

    async def book(self) -> dict[str, Any]:
        response = await self.sandbox.get("/_control/mpesa/book")
        found: dict[str, Any] = response.json()
        return found

    async def require_one_payment_each(self, answers: dict[str, set[str]]) -> None:
        """Each accepted idempotency key stands for one payment, which is there; there are no others."""
        rows = await self.tenant.fetch(
            "SELECT id, order_reference FROM payments WHERE order_reference IS NOT NULL"
        )
        found = Counter(row["order_reference"] for row in rows)
        assert found == Counter(dict.fromkeys(answers, 1))
        by_key = {row["order_reference"]: row["id"] for row in rows}
        assert {key: {inside(Kind.PAYMENT, id_) for id_ in ids} for key, ids in answers.items()} == {
            key: {id_} for key, id_ in by_key.items()
        }

    async def require_receipts(self) -> int:
        """One prompt a payment at most; what was paid has succeeded, and nothing else. Gives shillings."""
        book = await self.book()
        prompts = Counter(prompt["reference"] for prompt in book["stk"])
        assert {reference: count for reference, count in prompts.items() if count > 1} == {}
        paid = {entry["receipt"]: entry for entry in book["paid"]}
        rows = await self.tenant.fetch(
            "SELECT reference, receipt, amount_minor FROM payments WHERE status = 'succeeded'"
        )
        assert {row["receipt"]: row["reference"] for row in rows} == {
            receipt: entry["reference"] for receipt, entry in paid.items()
        }
        assert len(rows) == len(paid)
        return sum(round(float(entry["amount"])) for entry in paid.values())

    async def require_ledger(self, shillings: int) -> None:
        """The books hold what was paid, once, and every counter is the sum of its entries."""
        rows = await self.tenant.fetch(
            "SELECT split_part(code, ':', 1) AS sort,"
            " sum(abs(posted_credits_minor - posted_debits_minor)) AS balance FROM ledger_accounts GROUP BY 1"
        )
        balances = {row["sort"]: int(row["balance"]) for row in rows}
        assert balances["holding"] == balances["store"] == shillings * 100
        assert balances.get("suspense", 0) == 0
        wrong = await self.tenant.fetch(
            "SELECT a.code FROM ledger_accounts a LEFT JOIN ledger_entries e ON e.account_id = a.id"
            " GROUP BY a.id HAVING count(e.sequence) <> a.entry_count"
            " OR coalesce(sum(e.amount_minor) FILTER (WHERE e.side = 'debit'), 0) <> a.posted_debits_minor"
            " OR coalesce(sum(e.amount_minor) FILTER (WHERE e.side = 'credit'), 0) <> a.posted_credits_minor"
        )
        assert [row["code"] for row in wrong] == []

    async def require_an_end(self) -> Counter[str]:
        """Every payment has ended, but those whose prompt nobody answered for: they wait for a person."""
        book = await self.book()
        paid = {entry["reference"] for entry in book["paid"]}
        rows = await self.tenant.fetch("SELECT reference, status, provider_reference FROM payments")
        for row in rows:
            if row["status"] in {"created", "submitting", "pending", "unknown"}:
                assert (row["status"], row["provider_reference"]) == ("unknown", None), dict(row)
                assert row["reference"] not in paid
        dead = await self.tenant.fetch("SELECT kind, last_error FROM outbox WHERE state = 'dead'")
        assert [dict(row) for row in dead] == []
        return Counter(row["status"] for row in rows)
