"""Writes a statement as CSV in a process of its own, so that its memory is nobody else's; prints JSON.

Run with the tenant's reference and the account, as `ledger_statement` gives them.
"""

import asyncio
import json
import resource
import sys
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, BinaryIO
from uuid import UUID

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.clock import utc_now  # noqa: E402 - found by the path above
from core.periods import Period  # noqa: E402
from core.tenant import TenantStatus  # noqa: E402
from tenancy.engines import TenantEngines  # noqa: E402
from tenancy.sessions import AfterCommit, Tenant  # noqa: E402
from tenancy.tenant_ref import TenantRef  # noqa: E402
from tenant_db.exports.writing import statement_csv  # noqa: E402


class Nobody:
    """Hears of commits; a statement makes none."""

    async def before_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None: ...

    async def after_commit(self, tenant_id: UUID | None, after: AfterCommit) -> None: ...


def main(settings: dict[str, Any]) -> None:
    with Path(settings["file"]).open("wb") as file:
        took_s, size = asyncio.run(write(settings, file))
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"took_s": took_s, "size_bytes": size, "rss_mb": peak_kb / 1024}))


async def write(settings: dict[str, Any], file: BinaryIO) -> tuple[float, int]:
    """Seconds, and bytes."""
    ref = settings["ref"]
    engines = TenantEngines(1, application_name="hazina-bench")
    tenant = Tenant(
        TenantRef(**{**ref, "id": UUID(ref["id"]), "status": TenantStatus(ref["status"])}), engines, Nobody()
    )
    period = Period(datetime.fromisoformat(settings["since"]), utc_now() + timedelta(minutes=1))
    began, size = perf_counter(), 0
    async for piece in statement_csv(tenant, UUID(settings["account_id"]), period):
        size += file.write(piece)
    took_s = perf_counter() - began
    await engines.close()
    return took_s, size


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
