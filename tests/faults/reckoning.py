"""Compares what the sandbox's books say was paid and given back with what the databases say."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import asyncpg
import httpx

from core.ids import Kind, inside, outside
from tests.bookkeeping import TRUTHS
from tests.faults.places import Place
from tests.running import Running

DAY_S: Final = 86_400
PAYERS_TIME_S: Final = 7_200
"""Longer than any payer of the run may take."""
OPEN: Final = "('created', 'submitting', 'pending', 'unknown')"
WAITING: Final = (
    "SELECT 'payment ' || id || ' ' || provider || ' ' || status FROM payments"
    " WHERE status IN ('created', 'submitting')"
    "  OR (status = 'unknown' AND provider_reference IS NOT NULL)"
    "  OR (status = 'pending' AND provider = 'mpesa')"
    " UNION ALL SELECT 'refund ' || id || ' ' || status FROM refunds"
    " WHERE status IN ('requested', 'submitting', 'unknown', 'pending')"
    " UNION ALL SELECT 'message ' || id || ' ' || state FROM inbox WHERE state = 'received'"
    " UNION ALL SELECT 'job ' || kind || ' ' || state FROM outbox WHERE state IN ('pending', 'running')"
    " AND kind NOT IN ('poll_payment', 'ask_payment', 'ask_refund', 'sweep_account', 'reconcile_scope')"
)
"""What must still change by itself. A card payment stays pending while its payer may try again.

What the night does is spread over hours, should a run meet it.
"""
UNDECIDED: Final = (
    "SELECT 'payment ' || id || ' ' || provider || ' ' || status FROM payments"  # noqa: S608 - a constant
    f" WHERE status IN {OPEN}"
    " AND NOT (provider = 'mpesa' AND status = 'unknown' AND provider_reference IS NULL)"
    # A page whose address was lost can't be switched off: its own time ends it, which no leap shortens.
    " AND NOT (provider = 'flutterwave' AND status = 'pending' AND request_reference NOT LIKE 'http%')"
)
UNSEEN: Final = f"SELECT 'payment ' || id FROM payments WHERE status IN {OPEN} AND NOT needs_review"  # noqa: S608
LEAP: Final = (
    "UPDATE payments SET submitted_at = submitted_at - make_interval(secs => $1),"  # noqa: S608 - a constant
    f" expires_at = expires_at - make_interval(secs => $1) WHERE status IN {OPEN}"
)
BALANCES: Final = (
    "SELECT code, sum(CASE normal_side WHEN 'debit' THEN 1 ELSE -1 END"
    " * (posted_debits_minor - posted_credits_minor))::bigint AS balance FROM ledger_accounts GROUP BY code"
)


@dataclass(frozen=True, slots=True)
class Books:
    """The sandbox and the databases of the demo business."""

    running: Running
    sandbox: httpx.AsyncClient
    tenant: asyncpg.Pool
    owner: asyncpg.Pool

    async def hasten(self, every_s: int) -> None:
        """Ask soon about payments that nobody tells of, and do not count what the tills ask for.

        The questions go on while the run lasts, and again after each leap of its clock.
        """
        legs = [(every_s, 1_200), (PAYERS_TIME_S, PAYERS_TIME_S + 1_800), (DAY_S, DAY_S + 2_400)]
        ladder_s = [every_s // 2, *(rung for start, end in legs for rung in range(start, end, every_s))]
        await self.owner.execute(
            "UPDATE payment_providers"
            " SET settings = jsonb_set(settings, '{poll_ladder_s}', to_jsonb($1::int[]))",
            ladder_s,
        )
        await self.owner.execute(
            "UPDATE tenants SET tier_id = (SELECT id FROM tiers WHERE code = 'enterprise') WHERE id = $1",
            inside(Kind.TENANT, self.running.demo["tenant"]["id"]),
        )

    async def waiting(self, query: str, places: Iterable[Place] = ()) -> list[str]:
        """What a query finds; where it finds nothing, what a book calls paid and no payment has."""
        try:
            found = [row[0] for row in await self.tenant.fetch(query)]
            for place in () if found else places:
                found += [f"{place.provider} {name}" for name in await self._uncredited(place)]
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            # The last of the kills may have hit it.
            return [f"the database: {error}"]
        return found

    async def tell_the_rest(self, places: Iterable[Place]) -> None:
        """Have providers tell now what they kept back, and M-Pesa confirm what nobody listened to."""
        for place in places:
            path = f"/_control/{place.provider}/release"
            (await self.sandbox.post(path, json={})).raise_for_status()
        book = await self.book("mpesa")
        confirmed = {payment["receipt"] for payment in book["manual"]}
        for prompt in book["stk"]:
            is_heard = any(told.endswith(": 200") for told in prompt["told"])
            if prompt["receipt"] and prompt["receipt"] not in confirmed and not is_heard:
                payment = {
                    "short_code": prompt["short_code"],
                    "amount": f"{prompt['amount']}.00",
                    "phone": prompt["phone"],
                    "reference": prompt["reference"],
                    "receipt": prompt["receipt"],
                }
                (await self.sandbox.post("/_control/mpesa/c2b", json=payment)).raise_for_status()

    async def leap(self, seconds: int) -> None:
        """Move every open payment back in time, as if so much had passed since it was sent."""
        await self.tenant.execute(LEAP, seconds)

    async def book(self, provider: str) -> dict[str, Any]:
        response = await self.sandbox.get(f"/_control/{provider}/book")
        found: dict[str, Any] = response.json()
        return found

    async def require_one_payment_each(self, answers: Mapping[str, set[str]]) -> None:
        """Each accepted idempotency key stands for one payment, which is there; there are no others."""
        rows = await self.tenant.fetch(
            "SELECT id, order_reference FROM payments WHERE order_reference IS NOT NULL"
        )
        found = Counter(row["order_reference"] for row in rows)
        assert found == Counter(dict.fromkeys(answers, 1))
        by_key = {row["order_reference"]: {outside(Kind.PAYMENT, row["id"])} for row in rows}
        assert by_key == answers

    async def require_one_refund_each(self, answers: Mapping[str, set[str]]) -> None:
        """As for payments; nobody else gave anything back."""
        assert all(len(ids) == 1 for ids in answers.values()), answers
        rows = await self.tenant.fetch("SELECT id FROM refunds")
        assert {outside(Kind.REFUND, row["id"]) for row in rows} == {
            id_ for ids in answers.values() for id_ in ids
        }

    async def require_books(self, place: Place) -> tuple[int, int]:
        """What the provider calls paid or given back is booked once, with its amount, and nothing else is.

        The ledger holds the difference less the fees. Gives both sums.
        """
        paid, refunded = await self._paid(place), await self._given_back(place)
        assert await self._succeeded(place) == Counter(paid)
        booked = await self.tenant.fetch(
            "SELECT id, amount_minor FROM refunds WHERE provider = $1 AND status = 'succeeded'",
            place.provider,
        )
        assert Counter((outside(Kind.REFUND, row["id"]), row["amount_minor"]) for row in booked) == Counter(
            refunded
        )
        fees = await self.tenant.fetchval(
            "SELECT coalesce(sum(fee_minor), 0)::bigint FROM payments WHERE provider = $1", place.provider
        )
        taken, given = sum(minor for _, minor in paid), sum(minor for _, minor in refunded)
        rows = await self.tenant.fetch(BALANCES)
        balances = {row["code"]: row["balance"] for row in rows if place.holding in row["code"]}
        store = outside(Kind.STORE, inside(Kind.STORE, self.running.demo["store_id"]))
        assert balances.get(f"holding:{place.holding}", 0) == taken - given - fees, balances
        assert balances.get(f"store:{store}:available:{place.holding}", 0) == taken - given - fees, balances
        assert balances.get(f"suspense:{place.holding}", 0) == 0, balances
        return taken, given

    async def require_true_ledger(self) -> None:
        """Debits are credits, every counter is the sum of its entries, every chain is whole."""
        broken = {
            truth: len(rows) for truth, query in TRUTHS.items() if (rows := await self.tenant.fetch(query))
        }
        assert broken == {}

    async def require_an_end(self) -> Counter[str]:
        """Every payment and refund has ended or waits for a person, and no job was given up."""
        assert await self.waiting(UNSEEN) == []
        dead = await self.tenant.fetch("SELECT kind, last_error FROM outbox WHERE state = 'dead'")
        assert [dict(row) for row in dead] == []
        reviews = await self.tenant.fetch(
            "SELECT 'payment ' || p.id FROM payments p WHERE needs_review"
            " AND status IN ('pending', 'unknown')"
            " AND NOT EXISTS (SELECT FROM reviews r WHERE r.subject_id = p.id AND r.state = 'open')"
        )
        assert [row[0] for row in reviews] == []
        rows = await self.tenant.fetch("SELECT provider, status FROM payments")
        refunds = await self.tenant.fetch("SELECT provider, status FROM refunds")
        return Counter(f"{row['provider']} {row['status']}" for row in rows) + Counter(
            f"{row['provider']} refund {row['status']}" for row in refunds
        )

    async def _uncredited(self, place: Place) -> list[str]:
        return [name for name, _ in Counter(await self._paid(place)) - await self._succeeded(place)]

    async def _paid(self, place: Place) -> list[tuple[str, int]]:
        """By the payer's reference at M-Pesa, else by our own id."""
        rows = (await self.book(place.provider))["paid"]
        if place.is_phone:
            # One receipt is told twice where a confirmation stood in for a callback.
            by_receipt = {row["receipt"]: row for row in rows}.values()
            return [(row["reference"], int(Decimal(row["amount"]) * 100)) for row in by_receipt]
        return [(row["payment_id"], row["amount_minor"]) for row in rows]

    async def _given_back(self, place: Place) -> list[tuple[str, int]]:
        rows = [] if place.is_phone else (await self.book(place.provider))["refunded"]
        return [(row["refund_id"], row["amount_minor"]) for row in rows]

    async def _succeeded(self, place: Place) -> Counter[tuple[str, int]]:
        rows = await self.tenant.fetch(
            "SELECT id, reference, amount_minor FROM payments WHERE provider = $1 AND status = 'succeeded'",
            place.provider,
        )
        return Counter(
            (row["reference"] if place.is_phone else outside(Kind.PAYMENT, row["id"]), row["amount_minor"])
            for row in rows
        )
