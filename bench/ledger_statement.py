"""The statement of a busy store's account as CSV, beside PostgreSQL's own COPY of the same entries."""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import asyncpg
from ledger_books import PERIOD, Books
from results import ROOT, Row, middle

from core.clock import utc_now
from server.embedded_roles import TENANT_ROLE

ROUNDS: Final = 3
RSS_MAX_MB: Final = 200
PROGRAM: Final = ROOT / "bench" / "ledger_csv.py"
NOTE: Final = (
    "tenant_db.exports.statement_csv of {entries} entries ({megabytes:.0f} MB) into a file, in a process of"
    " its own; resident at most {rss_mb:.0f} MB (RSS, < 200 wanted), imports included; baseline: COPY of the"
    " same entries with their transfers, without running balances or names of accounts"
)
_COPY: Final = """
SELECT entry.sequence, entry.created_at, kind, reference, side, entry.amount_minor, balance_after_minor,
       transfer_id
  FROM ledger_entries AS entry JOIN ledger_transfers AS transfer ON transfer.id = transfer_id
 WHERE account_id = $1 ORDER BY entry.sequence
"""


async def ledger_statement(made: Books) -> Row:
    """Row `ledger_statement_100k_s`."""
    folder = made.cluster.postgres.data_dir
    account_id = made.available_ids[0]
    found: list[dict[str, Any]] = []
    copied: list[float] = []
    for _ in range(ROUNDS):
        copied.append(await _copy(made, folder / "copy.csv"))
        found.append(await _export(made, folder / "statement.csv"))
    entries = await made.tenant.rows("SELECT entry_count FROM ledger_accounts WHERE id = $1", account_id)
    with (folder / "statement.csv").open() as file:
        lines = sum(1 for _ in file)
    if lines < entries[0]["entry_count"]:
        raise AssertionError(f"{lines} lines for {entries[0]['entry_count']} entries")
    rss_mb = max(each["rss_mb"] for each in found)
    if rss_mb > RSS_MAX_MB:
        print(f"  too large: {rss_mb:.0f} MB", flush=True)
    took_s = middle(each["took_s"] for each in found)
    print(f"  statement in {took_s:.2f} s, {rss_mb:.0f} MB", flush=True)
    note = NOTE.format(
        entries=entries[0]["entry_count"], megabytes=found[0]["size_bytes"] / 1e6, rss_mb=rss_mb
    )
    return Row("ledger_statement_100k_s", took_s, "s", middle(copied), ROUNDS, note)


async def _export(made: Books, file: Path) -> dict[str, Any]:
    settings = {
        "ref": asdict(made.tenant.ref),
        "account_id": made.available_ids[0],
        "since": (utc_now() - 2 * PERIOD).isoformat(),
        "file": file,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        json.dumps(settings, default=str),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the export failed: {errors.decode()[-2_000:]}")
    result: dict[str, Any] = json.loads(output)
    return result


async def _copy(made: Books, file: Path) -> float:
    connection = await asyncpg.connect(made.cluster.dsn(TENANT_ROLE, made.tenant.ref.database))
    try:
        began = perf_counter()
        await connection.copy_from_query(_COPY, made.available_ids[0], output=file, format="csv", header=True)
        return perf_counter() - began
    finally:
        await connection.close()
