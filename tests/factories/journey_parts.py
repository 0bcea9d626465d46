"""What a journey stands on: a clock to move on, a registry to change, and a process's services."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import redis.asyncio

from core.clock import utc_now
from core.tenant import TenantStatus
from integrations.sandbox.daraja_keys import CERTIFICATE
from owner_db.catalog.certificates import trust_certificate
from owner_db.catalog.providers import point_provider_at
from owner_db.catalog.seeding import ensure_catalog
from tenancy.circuits import Circuits
from tenancy.context import Services
from tenancy.engines import Tenants
from tenancy.errors import TenantUnknown
from tenancy.keyring import Keyring, WrappedKey
from tenancy.limits import RateLimits
from tenancy.policy import Policy
from tenancy.sessions import OwnerDatabase
from tenancy.tenant_ref import TenantRef
from tenancy.wrappers import LocalKeyWrapper


@dataclass(slots=True)
class MovingClock:
    """The real time and an offset that tests move on."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead

    def skip_to(self, due: datetime) -> None:
        self.ahead += max(timedelta(), due - self())


@dataclass(slots=True)
class Registry:
    """A directory whose entries tests may change."""

    refs: dict[UUID, TenantRef]

    async def find(self, tenant_id: UUID) -> TenantRef:
        if tenant_id not in self.refs:
            raise TenantUnknown
        return self.refs[tenant_id]

    find_now = find

    def set_status(self, tenant_id: UUID, status: TenantStatus) -> None:
        ref = self.refs[tenant_id]
        values = {name: getattr(ref, name) for name in ref.__slots__}
        self.refs[tenant_id] = TenantRef(**{**values, "status": status})


async def open_catalog(owner: OwnerDatabase, sandbox_url: str) -> None:
    async with owner.transaction() as session:
        await ensure_catalog(session)
        await point_provider_at(session, "mpesa", sandbox_url)
        await trust_certificate(session, "mpesa", "sandbox", CERTIFICATE)


def services_of(
    owner: OwnerDatabase, tenants: Tenants, keyring: Keyring, client: redis.asyncio.Redis, clock: MovingClock
) -> Services:
    """What jobs and hooks use of a process's services; the rest is not there."""
    nothing = cast("Any", None)
    return Services(
        owner=owner,
        tenants=tenants,
        feed=nothing,
        keyring=keyring,
        limits=RateLimits(client),
        tokens=nothing,
        policy=Policy(),
        clock=clock,
        circuits=Circuits(client, clock),
    )


async def open_keyring(registry: Registry, keys: Path) -> Keyring:
    wrapped: dict[UUID, list[WrappedKey]] = {}

    async def load(tenant_id: UUID) -> list[WrappedKey]:
        return wrapped[tenant_id]

    keyring = Keyring(load, LocalKeyWrapper.made_if_missing(keys / "master.key"))
    for tenant_id in registry.refs:
        wrapped[tenant_id] = [await keyring.new_wrapped_key()]
    return keyring
