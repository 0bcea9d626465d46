"""People for tests."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from core.ids import new_id
from owner_db.tenants.models import DatabaseServer, Tenant
from owner_db.tiers.models import Tier
from owner_db.users.members import add_member
from owner_db.users.models import User
from owner_db.users.signing_in import add_user, new_account
from tenancy.roles import Role
from tenancy.sessions import OwnerDatabase, OwnerSession

PASSWORD = "correct horse battery staple"


async def make_user(owner: OwnerDatabase, email: str = "wanjiru@example.com") -> User:
    account = await new_account("Wanjiru", PASSWORD)
    async with owner.transaction() as session:
        return await add_user(session, email, account)


async def make_tenant_row(owner: OwnerDatabase) -> UUID:
    """A registry row of an active tenant whose database is never opened."""
    async with owner.transaction() as session:
        tier_id = await _tier(session)
        server = DatabaseServer(
            name=f"server-{new_id().hex}",
            tenant_url="postgresql://",
            migrator_url="postgresql://",
            capacity=9,
        )
        session.add(server)
        await session.flush()
        suffix = new_id().hex[-12:]
        row = Tenant(
            code=f"HZ-{suffix}",
            slug=f"shop-{suffix}",
            name="Duka la Wanjiru",
            kind="small_business",
            country="KE",
            status="active",
            tier_id=tier_id,
            server_id=server.id,
            database=f"t_{suffix}",
        )
        session.add(row)
        await session.flush()
        return row.id


async def make_member(
    owner: OwnerDatabase, tenant_id: UUID, role: Role = Role.OWNER, email: str = "wanjiru@example.com"
) -> User:
    user = await make_user(owner, email)
    async with owner.transaction() as session:
        await add_member(session, user.id, tenant_id, role)
    return user


async def _tier(session: OwnerSession) -> UUID:
    values = {
        "id": new_id(),
        "code": "test",
        "name": "Test",
        "request_units_capacity": 10_000,
        "request_units_per_s": 1_000,
        "sockets_max": 100,
    }
    await session.execute(insert(Tier).values(values).on_conflict_do_nothing(index_elements=["code"]))
    return (await session.scalars(select(Tier.id).where(Tier.code == "test"))).one()
