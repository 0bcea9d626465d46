"""Who may give rights: looked up again in the transaction that gives them."""

from uuid import UUID

from sqlalchemy import func, select

from owner_db.users.models import ApiKey, Membership
from tenancy.context import Principal
from tenancy.errors import NotSignedIn
from tenancy.roles import ROLE_SCOPES, Role, Scope
from tenancy.sessions import OwnerSession


async def take_turn(session: OwnerSession, tenant_id: UUID) -> None:
    """Keep others from giving or taking rights in this business until the transaction ends."""
    lock = func.pg_advisory_xact_lock(func.hashtextextended(f"rights:{tenant_id}", 0))
    await session.execute(select(lock))


async def scopes_now(session: OwnerSession, principal: Principal) -> frozenset[Scope]:
    """Take the business's turn and say what a member or key may do at this moment.

    A proof may be some seconds old, and nobody may give rights that they have just lost: the new
    rights would outlive the proof.

    Raises:
        NotSignedIn: the role or the key is gone.
    """
    if principal.tenant_id is None:
        raise NotSignedIn
    await take_turn(session, principal.tenant_id)
    if principal.kind == "api_key":
        scopes = await session.scalar(
            select(ApiKey.scopes).where(
                ApiKey.id == principal.id,
                ApiKey.tenant_id == principal.tenant_id,
                ApiKey.revoked_at.is_(None),
            )
        )
        if scopes is None:
            raise NotSignedIn("This API key is unknown or was revoked.")
        return frozenset(Scope(scope) for scope in scopes)
    role = await session.scalar(
        select(Membership.role).where(
            Membership.user_id == principal.id, Membership.tenant_id == principal.tenant_id
        )
    )
    if role is None:
        raise NotSignedIn("You no longer have a role in this business. Sign in again.")
    return ROLE_SCOPES[Role(role)]
