"""Seals the ledgers of tenants that have posted, and keeps the signed heads of their chains."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis

from core.alerts import AlertKind
from jobs.cron import Periodic
from jobs.run import UNREACHABLE
from owner_db.alerts.raising import raise_platform_alert
from owner_db.proofs.heads import keep_head, newest_head
from tenancy.context import Services
from tenancy.engines import Tenants
from tenancy.heads import Head, sign_head
from tenancy.sessions import Tenant
from tenancy.signals import SEAL_AFTER_S, SEALING
from tenant_db.alerts.raising import raise_alert
from tenant_db.ledger.blocks import block_at, has_unsealed, head_of
from tenant_db.ledger.proof_models import Block
from tenant_db.ledger.sealing import TransactionIdsFellBack, seal

EVERY_S: Final = 3.0
AT_ONCE: Final = 2
"""Of the sweeps' connections."""
TAKEN_MAX: Final = 200
LEASE_S: Final = 120
"""After it a tenant comes again whose sealer died."""
BLOCKS_MAX: Final = 20
"""Sealed of one tenant before the others have their turn."""
HEAD_EVERY: Final = timedelta(minutes=5)
"""So often a busy tenant's head is signed and kept."""

_TAKE: Final = """
local members = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, member in ipairs(members) do
  redis.call('ZADD', KEYS[1], ARGV[2], member)
end
return members
"""
# A commit that came meanwhile has given the tenant an earlier time than the lease: that one stays.
_SETTLE: Final = """
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) ~= tonumber(ARGV[2]) then
  return
end
if ARGV[3] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
end
"""

log = structlog.get_logger()


class Sealer:
    """Any number of sealers may run; each tenant's turns are taken in its database."""

    def __init__(self, services: Services, tenants: Tenants, redis: Redis) -> None:
        """`tenants` lease connections of the sweeps' own: sealing never keeps a job waiting."""
        self._services = services
        self._tenants = tenants
        self._redis = redis
        self._take = redis.register_script(_TAKE)
        self._settle = redis.register_script(_SETTLE)

    def schedule(self) -> Sequence[Periodic]:
        return (Periodic("seal_ledgers", EVERY_S, self.seal_due),)

    async def seal_due(self) -> None:
        """Seal what tenants have posted whose time has come."""
        now = int(self._services.clock().timestamp())
        lease = now + LEASE_S
        members = await self._take(keys=[SEALING], args=[now, lease, TAKEN_MAX])
        slots = asyncio.Semaphore(AT_ONCE)

        async def visit(member: str) -> None:
            async with slots:
                due = await self._visit(member)
            score = "" if due is None else str(int(due.timestamp()))
            await self._settle(keys=[SEALING], args=[member, lease, score])

        await asyncio.gather(*(visit(member.decode()) for member in members))

    async def _visit(self, member: str) -> datetime | None:
        """Seal one tenant's transfers; gives when to come again."""
        again = self._services.clock() + timedelta(seconds=SEAL_AFTER_S)
        with structlog.contextvars.bound_contextvars(tenant=member):
            try:
                tenant = await self._tenants.settling(UUID(member))
                is_moving = await self._seal(tenant)
                head_due = await self._keep_head(tenant)
            except UNREACHABLE as error:
                log.warning("sealing_waits", error=type(error).__name__)
                return again
            except TransactionIdsFellBack as fault:
                log.error("sealing_impossible", why=str(fault))  # noqa: TRY400 - where it happened says nothing
                return None
        return again if is_moving else head_due

    async def _seal(self, tenant: Tenant) -> bool:
        """Says whether to come again soon: something was sealed, or waits for a transaction to end.

        Coming again after the last block is what a commit relies on that told nobody, because its
        process had told of another a moment ago.
        """
        for sealed in range(BLOCKS_MAX):
            async with tenant.transaction() as session:
                block = await seal(session, self._services.clock)
                if block is None:
                    return sealed > 0 or await has_unsealed(session)
            log.info("block_sealed", height=block.height, transfers=block.transfer_count)
        return True

    async def _keep_head(self, tenant: Tenant) -> datetime | None:
        """Sign and keep the chain's head; gives when to come again for one that is too young."""
        async with self._services.owner.reading() as session:
            kept = await newest_head(session, tenant.id)
        async with tenant.reading() as session:
            block = await head_of(session)
            proven = None if kept is None else await block_at(session, kept.height)
        if kept is not None and (proven is None or proven.hash != kept.hash):
            # Nothing is signed on top of it: the platform's word stays with the chain that was.
            log.error("ledger_history_rewritten", height=kept.height)
            await self._alarm(tenant, kept.height)
            return None
        if block is None or (kept is not None and kept.height == block.height):
            return None
        if kept is not None and self._services.clock() < kept.created_at + HEAD_EVERY:
            return kept.created_at + HEAD_EVERY
        await self._sign(tenant, block)
        return None

    async def _alarm(self, tenant: Tenant, height: int) -> None:
        """Tell the platform first: what a database says that was tampered with need not reach anybody."""
        message = f"Block {height} of the ledger is not the one that the platform has signed."
        async with self._services.owner.transaction() as session:
            await raise_platform_alert(
                session, AlertKind.HISTORY_REWRITTEN, "ledger", message, tenant_id=tenant.id
            )
        async with tenant.transaction() as theirs:
            await raise_alert(theirs, AlertKind.HISTORY_REWRITTEN, "ledger", message)

    async def _sign(self, tenant: Tenant, block: Block) -> None:
        head = Head(tenant.id, block.height, block.hash, block.total_count, block.sealed_at)
        signed = await sign_head(self._services.tokens, head)
        async with self._services.owner.transaction() as session:
            await keep_head(session, head, signed)
        log.info("ledger_head_kept", height=head.height, transfers=head.transfers)
