"""The secrets that prove providers' webhooks, kept open for some minutes."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tenancy.audit import SYSTEM
from tenancy.context import Services
from tenancy.flights import Flights
from tenancy.sessions import Tenant
from tenant_db.credentials.names import PREVIOUS
from tenant_db.credentials.opening import open_secrets

FRESH: Final = timedelta(seconds=5)
"""How long secrets are taken for the newest; then their version is looked up."""
OPEN: Final = timedelta(minutes=5)
"""How long opened secrets are remembered at all."""
DOUBT_AFTER: Final = timedelta(seconds=1)
"""Messages that prove nothing have the secrets looked up again at most so often."""
ACCOUNTS_MAX: Final = 2_000
"""Accounts whose secrets one process remembers."""
PURPOSE: Final = "receive_webhook"

_VERSION: Final = """
SELECT secrets_version, previous_secrets_until > now() FROM provider_accounts WHERE id = $1
"""


@dataclass(slots=True)
class _Kept:
    version: tuple[int, bool]
    values: Sequence[str] = field(repr=False)
    looked_at: datetime
    opened_at: datetime


class WebhookSecrets:
    """Opens each account's secrets once in some minutes; those that were replaced are noticed in seconds."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._kept: OrderedDict[tuple[UUID, UUID], _Kept] = OrderedDict()
        self._flights: Flights[tuple[UUID, UUID, tuple[str, ...]], Sequence[str]] = Flights(self._look)

    async def of(self, tenant_id: UUID, account_id: UUID, names: Sequence[str]) -> Sequence[str]:
        """The secrets of these names, and those they replaced not long ago; empty where there are none.

        Raises:
            TenantNotServed, KeyMissing, SealBroken: they can't be opened now.
        """
        kept = self._kept.get((tenant_id, account_id))
        if kept is not None and self._services.clock() - kept.looked_at < FRESH:
            return kept.values
        return await self._flights.join((tenant_id, account_id, tuple(names)))

    def doubt(self, tenant_id: UUID, account_id: UUID) -> bool:
        """Look at the next message whether they were replaced; False where that was just looked at."""
        kept = self._kept.get((tenant_id, account_id))
        if kept is None or self._services.clock() - kept.looked_at < DOUBT_AFTER:
            return False
        kept.looked_at -= FRESH
        return True

    async def _look(self, wanted: tuple[UUID, UUID, tuple[str, ...]]) -> Sequence[str]:
        tenant_id, account_id, names = wanted
        tenant = await self._services.tenants.settling(tenant_id)
        rows = await tenant.rows(_VERSION, account_id)
        if not rows:
            return ()
        version = (rows[0][0], bool(rows[0][1]))
        now, kept = self._services.clock(), self._kept.get((tenant_id, account_id))
        if kept is None or kept.version != version or now - kept.opened_at > OPEN:
            values = await self._open(tenant, account_id, names, has_previous=version[1])
            kept = _Kept(version, values, now, now)
            self._kept[tenant_id, account_id] = kept
        kept.looked_at = now
        self._kept.move_to_end((tenant_id, account_id))
        while len(self._kept) > ACCOUNTS_MAX:
            self._kept.popitem(last=False)
        return kept.values

    async def _open(
        self, tenant: Tenant, account_id: UUID, names: Sequence[str], *, has_previous: bool
    ) -> Sequence[str]:
        wanted = [*names, *(f"{name}{PREVIOUS}" for name in names if has_previous)]
        async with tenant.transaction() as session:
            opened = await open_secrets(session, self._services.keyring, account_id, SYSTEM, PURPOSE)
        return tuple(secret for name in wanted if (secret := opened.by_name.get(name)))
