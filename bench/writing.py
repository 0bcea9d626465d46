"""`initiatePayment` over HTTP beside pgbench running the SQL that it runs."""

import asyncio
import re
from typing import Any, Final

import asyncpg
from node import MISSING, has_node, run_node
from reading import CONNECTIONS, require_served
from results import ROOT, Row, middle
from system import System, paused

from core.ids import Kind, inside
from server.embedded import PORT, POSTGRES_PACKAGE
from server.embedded_places import package_program
from server.embedded_roles import TENANT_ROLE

ROUNDS: Final = 3
WARM_UP_S: Final = 4
ROUND_S: Final = 8
SCRIPT: Final = ROOT / "bench" / "initiate_payment.sql"
MUTATION: Final = (
    "mutation Pay($input: InitiatePaymentInput!) { initiatePayment(input: $input) { __typename"
    " ... on InitiatePaymentSuccess { payment { id status reference } } ... on Error { code message } } }"
)
EXPECTED: Final = '"__typename":"InitiatePaymentSuccess"'
FIRST_PHONE: Final = 10_000_000
"""Far from the sample's: each payment has a phone of its own, as the limits of prompts demand."""
_TPS: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
NOTE: Final = (
    f"initiatePayment over HTTP, {CONNECTIONS} connections, a key and a phone each, all limits on; the"
    " worker and the sandbox are stopped meanwhile, for the baseline does none of their work"
    " ({running:.0f}/s with them at work); baseline: pgbench -M prepared -c 16 -j 1, the same SQL in"
    " one transaction"
)


def pgbench_command(database: str, socket_dir: str) -> list[str]:
    program = package_program(POSTGRES_PACKAGE, "pginstall18/bin/pgbench")
    arguments = ["-n", "-M", "prepared", "-c", "16", "-j", "1", "-T", str(ROUND_S), "-f", str(SCRIPT)]
    return [str(program), *arguments, "-h", socket_dir, "-p", str(PORT), "-U", TENANT_ROLE, database]


async def initiate_payment(running: System) -> list[Row]:
    """Row `initiate_payment`."""
    if not has_node():
        return [Row("initiate_payment", 0, "payments/s", None, 0, MISSING)]
    phone = await _load(running, FIRST_PHONE, WARM_UP_S)
    with_worker = await _load(running, phone["phones"], ROUND_S)
    phones = with_worker["phones"]
    our_rates: list[float] = []
    their_rates: list[float] = []
    async with paused(running, "worker", "sandbox"):
        for _ in range(ROUNDS):
            their_rates.append(await _pgbench(running))
            done = await _load(running, phones, ROUND_S)
            phones = done["phones"]
            our_rates.append(done["rate_per_s"])
            print(f"  ours {our_rates[-1]:.0f}/s, pgbench {their_rates[-1]:.0f}/s", flush=True)
    note = NOTE.format(running=with_worker["rate_per_s"])
    return [Row("initiate_payment", middle(our_rates), "payments/s", middle(their_rates), ROUNDS, note)]


async def _load(running: System, first_phone: int, duration_s: int) -> dict[str, Any]:
    payment = {
        "channelId": running.demo["channel_id"],
        "amount": {"amountMinor": "1000", "currency": "KES"},
        "description": "Order",
    }
    done = await run_node(
        "load.mjs",
        {
            "url": running.demo["graphql_url"],
            "headers": running.headers,
            "connections": CONNECTIONS,
            "duration_s": duration_s,
            "payments": {"query": MUTATION, "input": payment, "first_phone": first_phone},
            "expected": EXPECTED,
        },
    )
    require_served(done)
    return done


async def _pgbench(running: System) -> float:
    variables = await _variables(running)
    command = pgbench_command(running.database, str(running.socket_dir))
    given = [word for name, value in variables.items() for word in ("-D", f"{name}={value}")]
    process = await asyncio.create_subprocess_exec(
        command[0], *given, *command[1:], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    found = _TPS.search(output.decode())
    if process.returncode or found is None:
        raise RuntimeError(f"pgbench failed: {errors.decode()[-2_000:]}")
    return float(found[1])


async def _variables(running: System) -> dict[str, str]:
    """The ids that the statements name; a fresh run number keeps keys apart."""
    channel = inside(Kind.CHANNEL, running.demo["channel_id"])
    connection = await asyncpg.connect(running.dsn(TENANT_ROLE, running.database))
    try:
        (row,) = await connection.fetch(
            "SELECT id AS channel, store_id AS store, provider_account_id AS account FROM channels"
            " WHERE id = $1",
            channel,
        )
    finally:
        await connection.close()
    return {name: str(value) for name, value in row.items()}
