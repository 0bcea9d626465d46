"""One business for the ledger's benchmarks: shops, their accounts, and as many transfers as are asked for."""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from cluster import Cluster, cluster
from fleet import clone_fleet
from results import ROOT
from shops import add_shop

from core.clock import utc_now
from core.currency import Currency
from core.ids import new_id
from owner_db.tenants.directory import load_tenant
from server.embedded import PORT, POSTGRES_PACKAGE
from server.embedded_places import package_program
from server.embedded_roles import TENANT_ROLE
from tenancy.engines import TenantEngines
from tenancy.sessions import Tenant
from tenant_db.ledger.accounts import Holding, available, holding, open_accounts, platform_fees
from tenant_db.stores.models import Store

STORES: Final = 40
BUDGET: Final = 8
"""Connections that one server gives to one tenant."""
THOUSAND: Final = ROOT / "bench" / "ledger_thousand.sql"
A_BATCH: Final = 1_000
PERIOD: Final = timedelta(days=90)
"""What the transfers of a filled ledger are spread over."""
SHORT: Final = "HAZINA_BENCH_SHORT"
_TPS: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Books:
    """A business with one channel, whose holding every sale debits."""

    cluster: Cluster
    tenant: Tenant
    channel_id: UUID
    store_ids: Sequence[UUID]
    holding_id: UUID
    """The ledger account of the channel's money: the hot one."""
    fees_id: UUID
    available_ids: Sequence[UUID]
    """The stores' ledger accounts, in the order of `store_ids`."""

    async def fill(self, transfers: int) -> None:
        """Write so many transfers, the last of them now, as posting would have written them."""
        await self.run_thousands(transfers=transfers)
        async with self.cluster.servers.connect(
            self.cluster.migrator_url, self.tenant.ref.database
        ) as connection:
            # What autovacuum does for a ledger that grew over months.
            await connection.execute("VACUUM ANALYZE ledger_transfers, ledger_entries, ledger_accounts")

    async def run_thousands(self, *, transfers: int = 0, duration_s: int = 0, clients: int = 1) -> float:
        """Post in plain SQL, a thousand in a statement: so many, or for so long. Gives transfers a second."""
        step = PERIOD / transfers if transfers else timedelta(microseconds=1)
        variables = {
            "batch": 0,
            "run": f"{secrets.token_hex(6)}:",
            "holding": self.holding_id,
            "fees": self.fees_id,
            "stores": "{" + ",".join(str(id_) for id_ in self.available_ids) + "}",
            "began": (utc_now() - PERIOD).isoformat() if transfers else utc_now().isoformat(),
            "step_us": step // timedelta(microseconds=1),
        }
        given = [word for name, value in variables.items() for word in ("-D", f"{name}={value}")]
        length = ["-t", str(transfers // A_BATCH)] if transfers else ["-T", str(duration_s)]
        return A_BATCH * await self.pgbench(THOUSAND, clients, [*length, *given])

    async def pgbench(self, script: Path, clients: int, options: Sequence[str]) -> float:
        """Run a script as the application's role; gives transactions a second."""
        process = await asyncio.create_subprocess_exec(
            str(package_program(POSTGRES_PACKAGE, "pginstall18/bin/pgbench")),
            *("-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-f", str(script)),
            *options,
            *("-h", str(self.cluster.postgres.socket_dir), "-p", str(PORT)),
            *("-U", TENANT_ROLE, self.tenant.ref.database),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        found = _TPS.search(output.decode())
        if process.returncode or found is None:
            raise RuntimeError(f"pgbench failed: {errors.decode()[-2_000:]}")
        return float(found[1])

    async def require_sound(self) -> int:
        """That every counter is the sum of its entries, and debits are credits; gives the transfers."""
        wrong = await self.tenant.rows(_WRONG)
        if wrong:
            raise AssertionError(f"{len(wrong)} accounts differ from their entries: {dict(wrong[0])}")
        ((transfers, entries, signed),) = await self.tenant.rows(_SUMS)
        if entries != 2 * transfers or signed != 0:
            raise AssertionError(f"{transfers} transfers have {entries} entries, off by {signed}")
        return int(transfers)


_WRONG: Final = """
SELECT account.code, account.entry_count, counted.* FROM ledger_accounts AS account LEFT JOIN (
  SELECT account_id, count(*) AS entries, max(sequence) AS last,
         coalesce(sum(amount_minor) FILTER (WHERE side = 'debit'), 0) AS debits,
         coalesce(sum(amount_minor) FILTER (WHERE side = 'credit'), 0) AS credits
    FROM ledger_entries GROUP BY account_id) AS counted ON counted.account_id = account.id
 WHERE (account.entry_count, account.entry_count, posted_debits_minor, posted_credits_minor)
    <> (coalesce(entries, 0), coalesce(last, 0), coalesce(debits, 0), coalesce(credits, 0))
"""
_SUMS: Final = """
SELECT (SELECT count(*) FROM ledger_transfers), count(*),
       coalesce(sum(CASE side WHEN 'debit' THEN amount_minor ELSE -amount_minor END), 0) FROM ledger_entries
"""


@asynccontextmanager
async def books(per_tenant: int = BUDGET) -> AsyncIterator[Books]:
    """A business in a cluster of its own, with the connections that a server would give it."""
    async with cluster() as made:
        (row,) = await clone_fleet(made, 1)
        engines = TenantEngines(
            max(BUDGET, per_tenant), per_tenant=per_tenant, application_name="hazina-bench"
        )
        ref = await load_tenant(made.owner, made.servers, row.id)
        assert ref is not None  # noqa: S101 - it was made above
        tenant = Tenant(ref, engines, made.signals)
        try:
            yield await _opened(made, tenant)
        finally:
            await engines.close()


async def _opened(made: Cluster, tenant: Tenant) -> Books:
    async with tenant.transaction() as session:
        channel = await add_shop(session, 0)
        others = [
            Store(id=new_id(), name=f"Shop {number}", code=f"shop-{number}", time_zone="Africa/Nairobi")
            for number in range(1, STORES)
        ]
        session.add_all(others)
        await session.flush()
        assert channel.store_id is not None  # noqa: S101 - the shop's channel is its store's
        store_ids = [channel.store_id, *(store.id for store in others)]
        place = Holding.of_channel(channel.id)
        plans = [available(store_id, place, Currency.KES) for store_id in store_ids]
        holding_id, fees_id, *available_ids = await open_accounts(
            session, holding(place, Currency.KES), platform_fees(Currency.KES), *plans
        )
    return Books(made, tenant, channel.id, store_ids, holding_id, fees_id, available_ids)


def sized(full: int, short: int) -> int:
    """`short` where a look is enough: the environment says HAZINA_BENCH_SHORT=1."""
    return short if os.environ.get(SHORT) == "1" else full
