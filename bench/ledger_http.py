"""Posting a thousand at a time over HTTP, as programs of a business do."""

import secrets
from typing import Final

import asyncpg
from calling import Caller
from ledger_books import A_BATCH, sized
from node import MISSING, has_node, run_node
from reading import require_served
from results import Row
from system import System

from server.embedded_roles import TENANT_ROLE

CONNECTIONS: Final = 4
WARM_UP_S: Final = 4
SUSTAINED_S: Final = 30
STORES: Final = 20
SIGN_IN: Final = (
    "mutation In($input: SignInInput!) { signIn(input: $input) { __typename"
    " ... on SignInSuccess { session { accessToken } } } }"
)
OPEN: Final = (
    "mutation Open($input: OpenLedgerAccountInput!) { openLedgerAccount(input: $input) { __typename"
    " ... on OpenLedgerAccountSuccess { account { id } } ... on Error { code message } } }"
)
POST: Final = (
    "mutation Post($input: PostTransfersInput!) { postTransfers(input: $input) { __typename"
    " ... on PostTransfersSuccess { postedCount refusedCount items { index transferId error { code } } }"
    " ... on Error { code message } } }"
)
EXPECTED: Final = f'"postedCount":{A_BATCH},"refusedCount":0'
NOTE: Final = (
    f"postTransfers over HTTP, {A_BATCH} postings a request, {CONNECTIONS} connections, one server process,"
    " for {seconds} s; one account is debited by all; each posting has a key, an input hash and two entries,"
    " and is answered with its id; all limits on; the load generator is a process of its own on the same"
    " two cores; a request takes {p50_ms:.0f} ms (p50), {p99_ms:.0f} ms (p99)"
)


async def ledger_bulk_http(running: System) -> list[Row]:
    """Row `ledger_bulk_http`."""
    if not has_node():
        return [Row("ledger_bulk_http", 0, "postings/s", None, 0, MISSING)]
    headers = await _owner_headers(running)
    async with Caller(running.demo["graphql_url"], headers) as caller:
        source = await _opened(caller, "clearing", "DEBIT", None)
        destinations = [await _opened(caller, f"shop-{number}", "CREDIT", "0") for number in range(STORES)]
    postings = {"query": POST, "source": source, "destinations": destinations, "count": A_BATCH}
    load = {
        "url": running.demo["graphql_url"],
        "headers": headers,
        "connections": CONNECTIONS,
        "expected": EXPECTED,
    }
    await run_node("load.mjs", {**load, "postings": _run(postings), "duration_s": WARM_UP_S})
    seconds = sized(SUSTAINED_S, 8)
    done = await run_node("load.mjs", {**load, "postings": _run(postings), "duration_s": seconds})
    require_served(done)
    rate = A_BATCH * float(done["rate_per_s"])
    await _require_balance(running)
    print(f"  {rate:.0f}/s over HTTP", flush=True)
    note = NOTE.format(seconds=seconds, p50_ms=done["p50_ms"], p99_ms=done["p99_ms"])
    return [Row("ledger_bulk_http", rate, "postings/s", None, int(done["answers"]), note)]


async def _owner_headers(running: System) -> dict[str, str]:
    """The demo's API key may not post: its owner signs in."""
    async with Caller(running.demo["graphql_url"], {"content-type": "application/json"}) as caller:
        answer = await caller.post({"query": SIGN_IN, "variables": {"input": running.demo["tenant_user"]}})
    token = answer.data()["signIn"]["session"]["accessToken"]
    return {**running.headers, "authorization": f"Bearer {token}"}


def _run(postings: dict[str, object]) -> dict[str, object]:
    """Keys that no earlier run has used."""
    return {**postings, "run": secrets.token_hex(6)}


async def _opened(caller: Caller, name: str, side: str, floor_minor: str | None) -> str:
    new = {"name": f"bench:{name}", "currency": "KES", "normalSide": side, "floorMinor": floor_minor}
    data = (await caller.post({"query": OPEN, "variables": {"input": new}})).data()["openLedgerAccount"]
    if data["__typename"] != "OpenLedgerAccountSuccess":
        raise AssertionError(f"no account: {data}")
    id_: str = data["account"]["id"]
    return id_


async def _require_balance(running: System) -> None:
    """That every account is the sum of its entries."""
    connection = await asyncpg.connect(running.dsn(TENANT_ROLE, running.database))
    try:
        wrong = await connection.fetch(
            "SELECT code FROM ledger_accounts AS account WHERE (entry_count, posted_debits_minor,"
            " posted_credits_minor) <> (SELECT count(*), coalesce(sum(amount_minor) FILTER (WHERE side ="
            " 'debit'), 0), coalesce(sum(amount_minor) FILTER (WHERE side = 'credit'), 0)"
            " FROM ledger_entries WHERE account_id = account.id)"
        )
    finally:
        await connection.close()
    if wrong:
        raise AssertionError(f"{wrong[0]['code']} is not the sum of its entries")
