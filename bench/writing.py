"""`initiatePayment` over HTTP beside pgbench running the SQL that it runs."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
from node import MISSING, has_node, run_node
from reading import CONNECTIONS, require_served
from results import ROOT, Row, middle
from system import System, paused, second_server

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
PHONES_A_ROUND: Final = 50_000
FIRST_PHONE: Final = 10_000_000
"""Far from the sample's: each payment has a phone of its own, as the limits of prompts demand."""
_TPS: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
NOTE: Final = (
    f"initiatePayment over HTTP, {CONNECTIONS} connections over two server processes, as those of pgbench"
    " use both cores, too ({one:.0f}/s with one process); a key and a phone each, all limits on; worker and"
    " sandbox are stopped meanwhile, for the baseline does none of their work ({at_work:.0f}/s with them"
    " at work); baseline: pgbench -M prepared -c 16 -j 1, the same SQL"
)


def pgbench_command(database: str, socket_dir: str) -> list[str]:
    program = package_program(POSTGRES_PACKAGE, "pginstall18/bin/pgbench")
    arguments = ["-n", "-M", "prepared", "-c", "16", "-j", "1", "-T", str(ROUND_S), "-f", str(SCRIPT)]
    return [str(program), *arguments, "-h", socket_dir, "-p", str(PORT), "-U", TENANT_ROLE, database]


async def initiate_payment(running: System) -> list[Row]:
    """Row `initiate_payment`."""
    if not has_node():
        return [Row("initiate_payment", 0, "payments/s", None, 0, MISSING)]
    first = running.demo["graphql_url"]
    rates: dict[str, list[float]] = {"one": [], "both": [], "pgbench": []}
    async with second_server(running) as second:
        load = _Load(running)
        await load.rate([first, second], WARM_UP_S)
        at_work = await load.rate([first, second], ROUND_S)
        async with paused(running, "worker", "sandbox"):
            for _ in range(ROUNDS):
                rates["pgbench"].append(await _pgbench(running))
                rates["one"].append(await load.rate([first], ROUND_S))
                rates["both"].append(await load.rate([first, second], ROUND_S))
                print(
                    "  " + ", ".join(f"{name} {found[-1]:.0f}/s" for name, found in rates.items()), flush=True
                )
    note = NOTE.format(one=middle(rates["one"]), at_work=at_work)
    return [
        Row("initiate_payment", middle(rates["both"]), "payments/s", middle(rates["pgbench"]), ROUNDS, note)
    ]


class _Load:
    """Payments as fast as the answers come; remembers which phones have had theirs."""

    def __init__(self, running: System) -> None:
        self._running = running
        self._phone = FIRST_PHONE

    async def rate(self, urls: Sequence[str], duration_s: int) -> float:
        """Payments a second over CONNECTIONS connections in all."""
        done = await asyncio.gather(*[self._ask(url, CONNECTIONS // len(urls), duration_s) for url in urls])
        for part in done:
            require_served(part)
        return sum(float(part["rate_per_s"]) for part in done)

    async def _ask(self, url: str, connections: int, duration_s: int) -> dict[str, Any]:
        first, self._phone = self._phone, self._phone + PHONES_A_ROUND
        payment = {
            "channelId": self._running.demo["channel_id"],
            "amount": {"amountMinor": "1000", "currency": "KES"},
            "description": "Order",
        }
        return await run_node(
            "load.mjs",
            {
                "url": url,
                "headers": self._running.headers,
                "connections": connections,
                "duration_s": duration_s,
                "payments": {"query": MUTATION, "input": payment, "first_phone": first},
                "expected": EXPECTED,
            },
        )


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
