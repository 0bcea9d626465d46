"""Accounts of the platform's own staff, opened at the command line."""

from core.ids import Kind, outside
from owner_db.users.signing_in import add_user, new_account, normalised_email
from tenancy.audit import OPERATOR, record_audit
from tenancy.roles import PlatformRole
from tenancy.sessions import OwnerDatabase


async def add_staff(owner: OwnerDatabase, email: str, name: str, password: str, role: PlatformRole) -> None:
    """Open an account with a role on the platform.

    Raises:
        InvalidInput, WeakPassword: what was given can't be used.
        EmailTaken: the address has an account already.
    """
    address = normalised_email(email)
    account = await new_account(name, password)
    async with owner.transaction() as session:
        user = await add_user(session, address, account)
        user.platform_role = role.value
        user.email_verified_at = user.created_at
        record_audit(
            session,
            OPERATOR,
            "add_staff",
            subject=outside(Kind.USER, user.id),
            details={"role": role.value},
        )
