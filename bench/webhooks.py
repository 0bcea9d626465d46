"""Webhooks replayed as providers replay them: twice, out of order, and among them what others have forged.

The payments are written as they are when their provider has taken them; what is sent is what the sandbox
would send, signed by its own signer. Then the inbox drains, and the books have to show each payment once.
"""

import asyncio
import hashlib
import json
import os
import random
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Final
from uuid import UUID

import asyncpg
from calling import Caller
from inside import inside
from pacing import Ask, drain
from results import Row
from system import System
from webhook_payments import AMOUNT_MINOR, Stand, open_stand

from core.clock import utc_now
from core.ids import Kind, outside
from integrations.sandbox.book import StkRequest
from integrations.sandbox.payer import callback_body, stamp
from integrations.sandbox.stripe.wire import event, signature
from tenant_db.payments.models import Payment

SHORT: Final = bool(os.environ.get("HAZINA_BENCH_SHORT"))
SHARE: Final = 10 if SHORT else 1
STRIPE: Final = 2_000 // SHARE
MPESA: Final = 2_000 // SHARE
CONFIRMED: Final = 1_000 // SHARE
"""M-Pesa payments that are told of in two ways, in either order."""
AGAIN: Final = 3_000 // SHARE
FORGED_STRIPE: Final = 1_000 // SHARE
FORGED_MPESA: Final = 1_000 // SHARE
CLIENTS: Final = 16
SEED: Final = 20_261_121
HOUR_S: Final = 3_600
DRAINED_WITHIN_S: Final = 600.0
POLL_S: Final = 0.5
OK: Final = 200
NOTE: Final = (
    "{sent:,} webhooks of Stripe and M-Pesa in no order, over {clients} connections: {genuine:,} genuine,"
    " {again:,} of them for the second time, and {forged:,} forged ones; accepted is stored for good and"
    " answered 200 while the worker settles; {payments:,} payments settled once each, {drained:.0f} s after"
    " the first webhook"
)


@dataclass(frozen=True, slots=True)
class Told:
    """One webhook as it is sent."""

    path: str
    body: bytes
    headers: dict[str, str]
    is_genuine: bool = True


@dataclass(slots=True)
class Answered:
    """What became of the webhooks."""

    accepted: int = 0
    refused: int = 0


async def webhooks_accepted(running: System) -> list[Row]:
    """Row `webhooks_accepted`."""
    async with inside(running) as here:
        stand = await open_stand(here, running.demo, stripe_count=STRIPE, mpesa_count=MPESA)
    messages = _messages(running, stand)
    sold_before = await _sold(running)
    answered = Answered()
    async with Caller(running.demo["graphql_url"], {"content-type": "application/json"}) as caller:
        asks: list[Ask] = [partial(_send, caller, told, answered) for told in messages]
        began = perf_counter()
        await drain(asks, CLIENTS)
        took = perf_counter() - began
        print(f"  {answered.accepted / took:.0f}/s accepted", flush=True)
        await _drained(running)
    drained = perf_counter() - began
    await _require_each_once(running, stand, sold_before)
    note = NOTE.format(
        sent=len(messages),
        clients=CLIENTS,
        genuine=answered.accepted,
        again=AGAIN,
        forged=answered.refused,
        payments=STRIPE + MPESA,
        drained=drained,
    )
    return [Row("webhooks_accepted", answered.accepted / took, "webhooks/s", None, len(messages), note)]


async def _send(caller: Caller, told: Told, answered: Answered) -> None:
    answer = await caller.post_to(told.path, told.body, told.headers)
    if (answer.status == OK) is not told.is_genuine:
        raise AssertionError(f"{told.path} was answered {answer.status}: {answer.body!r}")
    if told.is_genuine:
        answered.accepted += 1
    else:
        answered.refused += 1


def _messages(running: System, stand: Stand) -> list[Told]:
    draws = random.Random(SEED)  # noqa: S311 - no secret
    tenant = running.demo["tenant"]["id"]
    events = [_stripe_event(payment, tenant) for payment in stand.stripe]
    genuine = [_signed(stand, body) for body in events]
    genuine += [_callback(stand, payment) for payment in stand.mpesa]
    genuine += [_confirmation(stand, payment) for payment in stand.mpesa[:CONFIRMED]]
    again = draws.sample(genuine, AGAIN)
    forged = [*_forged_events(stand, events[:FORGED_STRIPE], draws), *_forged_callbacks(stand)]
    messages = [*genuine, *again, *forged]
    draws.shuffle(messages)
    return messages


def _stripe_event(payment: Payment, tenant: str) -> bytes:
    intent = {
        "id": payment.provider_reference,
        "object": "payment_intent",
        "amount": payment.amount_minor,
        "amount_received": payment.amount_minor,
        "capture_method": "automatic",
        "currency": payment.currency.value.lower(),
        "latest_charge": f"ch_3Q{secrets.token_hex(11)}",
        "livemode": False,
        "metadata": {"payment_id": outside(Kind.PAYMENT, payment.id), "tenant": tenant},
        "status": "succeeded",
    }
    told = event("payment_intent.succeeded", intent, "", int(utc_now().timestamp()), {})
    return json.dumps(told, separators=(",", ":")).encode()


def _signed(stand: Stand, body: bytes, *, secret: str = "", age_s: int = 0) -> Told:
    header = signature(body, secret or stand.stripe_secret, int(utc_now().timestamp()) - age_s)
    return Told(stand.stripe_path, body, {"stripe-signature": header})


def _forged_events(stand: Stand, events: Sequence[bytes], draws: random.Random) -> Iterable[Told]:
    """Signed by another, signed long ago, or changed after they were signed."""
    for body in events:
        match draws.randrange(3):
            case 0:
                told = _signed(stand, body, secret=f"whsec_{secrets.token_hex(12)}")
            case 1:
                told = _signed(stand, body, age_s=HOUR_S)
            case _:
                changed = body.replace(b'"amount":', b'"amount":1', 1)
                told = Told(stand.stripe_path, changed, _signed(stand, body).headers)
        yield Told(told.path, told.body, told.headers, is_genuine=False)


def _callback(stand: Stand, payment: Payment) -> Told:
    item = stand.items[payment.id]
    return Told(f"{stand.stk_path}/{item}", json.dumps(_callback_body(payment)).encode(), {})


def _callback_body(payment: Payment) -> dict[str, Any]:
    prompt = StkRequest(
        id=payment.provider_reference or "",
        merchant_request_id=payment.request_reference or "",
        short_code=payment.short_code or "",
        party_b=payment.short_code or "",
        transaction_type="CustomerPayBillOnline",
        phone=(payment.phone or "").removeprefix("+"),
        amount=payment.amount_minor // 100,
        reference=payment.reference,
        description="",
        callback_url="",
        taken_at="",
        outcome={},
        acted_at=stamp(utc_now()),
    )
    return callback_body(prompt, "0", receipt_of(payment.id), prompt.amount)


def _confirmation(stand: Stand, payment: Payment) -> Told:
    body = {
        "TransactionType": "Pay Bill",
        "TransID": receipt_of(payment.id),
        "TransTime": stamp(utc_now()),
        "TransAmount": f"{payment.amount_minor // 100}.00",
        "BusinessShortCode": payment.short_code,
        "BillRefNumber": payment.reference,
        "InvoiceNumber": "",
        "OrgAccountBalance": "25000.00",
        "ThirdPartyTransID": "",
        "MSISDN": "2547 ***** 126",
        "FirstName": "JANE",
    }
    return Told(stand.confirmation_path, json.dumps(body).encode(), {})


def _forged_callbacks(stand: Stand) -> Iterable[Told]:
    """M-Pesa signs nothing: whoever forges has to guess the path."""
    for number in range(FORGED_MPESA):
        payment = stand.mpesa[number % len(stand.mpesa)]
        path = f"/hooks/{secrets.token_hex(16)}/{secrets.token_hex(16)}"
        yield Told(path, json.dumps(_callback_body(payment)).encode(), {}, is_genuine=False)


def receipt_of(payment_id: UUID) -> str:
    """Ten capitals and digits, as M-Pesa's look; one for each payment."""
    return f"W{hashlib.sha256(payment_id.bytes).hexdigest()[:9].upper()}"


async def _drained(running: System) -> None:
    connection = await asyncpg.connect(running.dsn("hazina_migrator", running.database))
    waiting = "SELECT count(*) FROM inbox WHERE state = 'received'"
    try:
        async with asyncio.timeout(DRAINED_WITHIN_S):
            while await connection.fetchval(waiting):  # noqa: ASYNC110 - another process's work
                await asyncio.sleep(POLL_S)
    finally:
        await connection.close()


async def _sold(running: System) -> int:
    connection = await asyncpg.connect(running.dsn("hazina_migrator", running.database))
    try:
        sold: int = await connection.fetchval("SELECT count(*) FROM ledger_transfers WHERE kind = 'sale'")
    finally:
        await connection.close()
    return sold


async def _require_each_once(running: System, stand: Stand, sold_before: int) -> None:
    """Raises AssertionError unless each payment succeeded, and is in the ledger once, and nothing else is."""
    ids = [payment.id for payment in (*stand.stripe, *stand.mpesa)]
    connection = await asyncpg.connect(running.dsn("hazina_migrator", running.database))
    try:
        paid = await connection.fetchval(
            "SELECT count(*) FROM payments WHERE id = ANY($1) AND status = 'succeeded' AND NOT needs_review",
            ids,
        )
        odd = await connection.fetchval("SELECT count(*) FROM inbox WHERE state <> 'processed'")
        amount = await connection.fetchval(
            "SELECT sum(amount_minor) FROM (SELECT amount_minor FROM ledger_transfers WHERE kind = 'sale'"
            " ORDER BY created_at DESC, id DESC LIMIT $1) newest",
            len(ids),
        )
    finally:
        await connection.close()
    sold = await _sold(running) - sold_before
    if (paid, sold, odd, amount) != (len(ids), len(ids), 0, len(ids) * AMOUNT_MINOR):
        raise AssertionError(f"{paid} of {len(ids)} are paid, {sold} sold, {odd} set aside, {amount} moved")
