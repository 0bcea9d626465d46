"""Passwords: argon2id, in a thread, two at once."""

import asyncio
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from owner_db.users.errors import WeakPassword

LENGTH_MIN: Final = 10
LENGTH_MAX: Final = 256
HASHERS_MAX: Final = 2
"""Each hash takes 64 MiB and a core for some 50 ms: more at once would starve the requests beside them."""

_hasher = PasswordHasher()
_slots = asyncio.Semaphore(HASHERS_MAX)


def require_strong(password: str, email: str) -> None:
    """Raises WeakPassword; changes nothing."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise WeakPassword(f"Use {LENGTH_MIN} to {LENGTH_MAX} characters for the password.")
    if password.lower() in {email, email.partition("@")[0]} or len(set(password)) < LENGTH_MIN // 2:
        raise WeakPassword("This password is too easy to guess. Use several unrelated words.")


async def hashed(password: str) -> str:
    """The encoded argon2id hash to store."""
    async with _slots:
        return await asyncio.to_thread(_hasher.hash, password)


async def matches(password_hash: str | None, password: str) -> bool:
    """Whether `password` is the one; None (an unknown user) takes as long and is never."""
    async with _slots:
        return await asyncio.to_thread(_matches, password_hash, password)


def _matches(password_hash: str | None, password: str) -> bool:
    try:
        return _hasher.verify(password_hash or _decoy(), password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _decoy() -> str:
    """Verified where the user is unknown, so that the answer takes as long as for a known one."""
    return _hasher.hash("no one's password")
