"""Sign-in by e-mail address and password."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import new_id
from owner_db.users.errors import EmailTaken, NotAMember, WrongCredentials
from owner_db.users.models import Membership, User
from owner_db.users.passwords import hashed, matches, require_strong
from owner_db.users.sessions import OpenSession, open_session, take_turn
from tenancy.sessions import OwnerDatabase, OwnerSession

NAME_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What someone new brings, checked; made by `new_account`."""

    name: str
    password_hash: str


def normalised_email(text: str) -> str:
    """Lower case, as it is stored.

    Raises:
        InvalidInput: it is no e-mail address.
    """
    try:
        return validate_email(
            text.strip(), check_deliverability=False, test_environment=True
        ).normalized.lower()
    except EmailNotValidError as error:
        raise InvalidInput("email", f"This is no e-mail address: {error}") from error


async def new_account(name: str, password: str) -> NewAccount:
    """Check and hash before a transaction is open: argon2 takes its time.

    Raises:
        InvalidInput: no name, or too long a one.
        WeakPassword: it is too easy to guess.
    """
    # Names go into mails, also to addresses that nobody has proved.
    if not 1 <= len(name.strip()) <= NAME_LENGTH_MAX or not name.strip().isprintable():
        raise InvalidInput("name", f"Give a name of 1 to {NAME_LENGTH_MAX} characters on one line.")
    require_strong(password, name.strip().lower())
    return NewAccount(name.strip(), await hashed(password))


async def add_user(session: OwnerSession, email: str, account: NewAccount) -> User:
    """Raises EmailTaken. `email` is normalised."""
    added = await session.execute(
        insert(User)
        .values(
            id=new_id(),
            created_at=utc_now(),
            email=email,
            name=account.name,
            password_hash=account.password_hash,
        )
        .on_conflict_do_nothing(index_elements=["email"])
        .returning(User)
    )
    user = added.scalar_one_or_none()
    if user is None:
        raise EmailTaken
    return user


async def user_by_password(owner: OwnerDatabase, email: str, password: str) -> User:
    """Who signs in; holds no connection while argon2 works.

    Raises:
        WrongCredentials: unknown address, wrong password or disabled account; all take as long.
    """
    async with owner.reading() as session:
        user = await session.scalar(select(User).where(User.email == email.strip().lower()))
    if not await matches(user.password_hash if user else None, password) or user is None:
        raise WrongCredentials
    if user.disabled_at is not None:
        raise WrongCredentials
    return user


async def begin_session(session: OwnerSession, user: User, *, audience: str, now: datetime) -> OpenSession:
    """Start a session for whom `user_by_password` gave, in the business last used or in none.

    A business that took the role away is none: a token for it would be refused, and with it the way
    to every other business.

    Raises:
        WrongCredentials: the password was replaced, or the account disabled, while it was checked.
    """
    await take_turn(session, user.id)
    is_member = exists().where(Membership.user_id == User.id, Membership.tenant_id == User.last_tenant_id)
    row = (
        await session.execute(
            select(User.last_tenant_id, is_member).where(
                User.id == user.id, User.password_hash == user.password_hash, User.disabled_at.is_(None)
            )
        )
    ).one_or_none()
    if row is None:
        raise WrongCredentials
    tenant_id = row[0] if audience == "tenant" and row[1] else None
    return open_session(session, user_id=user.id, tenant_id=tenant_id, audience=audience, now=now)


async def role_in(session: OwnerSession, user_id: UUID, tenant_id: UUID) -> str:
    """Raises NotAMember."""
    role = await session.scalar(
        select(Membership.role).where(Membership.user_id == user_id, Membership.tenant_id == tenant_id)
    )
    if role is None:
        raise NotAMember
    return role
