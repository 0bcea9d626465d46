"""Registering a tenant; its database is made by a job."""

import secrets
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text

from core.errors import InvalidInput
from core.ids import new_id
from core.tenant import TenantKind, TenantStatus
from owner_db.tenants.errors import SlugTaken
from owner_db.tenants.models import Tenant, TenantKey
from owner_db.tenants.placing import place
from owner_db.tenants.rules import code_of, require_slug, slug_from
from owner_db.tiers.reading import tier_by_code
from owner_db.users.errors import TooManyTenants
from tenancy.keyring import WrappedKey
from tenancy.outbox import announce
from tenancy.sessions import OwnerSession

NAME_CHARACTERS_MAX: Final = 100
QUEUE: Final = "platform"
SLUG_ATTEMPTS: Final = 5
TENANTS_PER_USER_MAX: Final = 5
_ENDED: Final = (TenantStatus.DELETED, TenantStatus.FAILED)


@dataclass(frozen=True, slots=True)
class NewTenant:
    """A business to register."""

    name: str
    kind: TenantKind
    country: str
    """ISO 3166 alpha-2."""
    slug: str | None = None
    """None makes one from the name."""
    tier: str = "free"
    created_by: UUID | None = None
    """The user; None for the operator at the command line."""
    is_approved: bool = True
    """False waits for the platform's staff before its database is made."""
    id: UUID = field(default_factory=new_id)


async def register_tenant(
    session: OwnerSession,
    new: NewTenant,
    key: WrappedKey,
    *,
    tenants_per_user_max: int = TENANTS_PER_USER_MAX,
) -> Tenant:
    """Write the tenant, its data key and the job that makes its database; memberships are the caller's.

    The transaction holds the user's turn and the chosen server's row until it ends.

    Raises:
        InvalidInput: name, country, tier or slug can't be used.
        SlugTaken: the wanted slug is another business's.
        TooManyTenants: the user has as many businesses as one may have.
        NoServerHasRoom: no database server can take it.
    """
    _require_valid(new)
    tier = await tier_by_code(session, new.tier)
    if new.created_by is not None:
        await _require_room_for(session, new.created_by, tenants_per_user_max)
    tenant = await _row(session, new, tier.id)
    session.add(tenant)
    await session.flush()
    session.add(TenantKey(tenant_id=tenant.id, version=key.version, wrapped=key.wrapped, wrapper=key.wrapper))
    if new.is_approved:
        announce_provisioning(session, tenant.id)
    return tenant


async def _row(session: OwnerSession, new: NewTenant, tier_id: UUID) -> Tenant:
    number = int(await session.scalar(text("SELECT nextval(pg_get_serial_sequence('tenants', 'number'))")))
    return Tenant(
        id=new.id,
        number=number,
        code=code_of(number),
        slug=await _free_slug(session, new),
        name=new.name.strip(),
        kind=new.kind.value,
        country=new.country,
        status=TenantStatus.REQUESTED.value,
        tier_id=tier_id,
        server_id=await place(session),
        database=f"t_{secrets.token_hex(12)}",
        created_by=new.created_by,
    )


def announce_provisioning(session: OwnerSession, tenant_id: UUID) -> None:
    """Let a job make the tenant's database."""
    announce(session, "provision_tenant", queue=QUEUE, tenant_id=str(tenant_id))


def _require_valid(new: NewTenant) -> None:
    name = new.name.strip()
    if not name or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise InvalidInput("name", f"A name has 1 to {NAME_CHARACTERS_MAX} printable characters.")
    if len(new.country) != 2 or not new.country.isascii() or not new.country.isupper():  # noqa: PLR2004 - alpha-2
        raise InvalidInput("country", "Write the country as two capitals (ISO 3166), such as KE.")
    if new.slug is not None:
        require_slug(new.slug)


async def _require_room_for(session: OwnerSession, user_id: UUID, limit: int) -> None:
    # Two registrations at once would both see room for one more.
    await _lock(session, f"registering:{user_id}")
    held = await session.scalar(
        select(func.count()).where(Tenant.created_by == user_id, Tenant.status.not_in(_ENDED))
    )
    if (held or 0) >= limit:
        raise TooManyTenants(limit)


async def _free_slug(session: OwnerSession, new: NewTenant) -> str:
    if new.slug is not None:
        if await _is_taken(session, new.slug):
            raise SlugTaken(new.slug)
        return new.slug
    base = slug_from(new.name)
    for attempt in range(SLUG_ATTEMPTS):
        slug = base if attempt == 0 else f"{base}-{secrets.token_hex(3)}"
        if not await _is_taken(session, slug):
            return slug
    raise SlugTaken(base)


async def _is_taken(session: OwnerSession, slug: str) -> bool:
    # Held to the end: a rival who wants the same slug waits, and then finds it taken.
    await _lock(session, f"slug:{slug}")
    return await session.scalar(select(Tenant.id).where(Tenant.slug == slug)) is not None


async def _lock(session: OwnerSession, name: str) -> None:
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
