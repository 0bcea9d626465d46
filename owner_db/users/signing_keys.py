"""The keys that sign access tokens: made on first use, sealed by the master key, rotated by date."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import func, or_, select

from core.clock import Clock
from core.ids import new_id
from owner_db.users.models import SigningKey
from tenancy.keyring import Keyring, Place
from tenancy.sessions import OwnerDatabase
from tenancy.tokens import ACCESS_TOKEN_LIFE, KEYS_REFRESH_S, KeyPair

SIGNING_LIFE: Final = timedelta(days=90)
VERIFIES_FOR: Final = ACCESS_TOKEN_LIFE + timedelta(seconds=KEYS_REFRESH_S)
"""After it has retired: another process may still sign with it until it looks again."""
_LOCK: Final = func.pg_advisory_xact_lock(func.hashtextextended("signing_keys", 0))


async def ensure_signing_key(owner: OwnerDatabase, keyring: Keyring, now: datetime) -> None:
    """Make a key if none signs any more; two processes that start at once make one."""
    async with owner.transaction() as session:
        await session.execute(select(_LOCK))
        if await session.scalar(select(SigningKey.id).where(SigningKey.retires_at > now).limit(1)):
            return
        private = Ed25519PrivateKey.generate()
        key_id = new_id()
        place = Place("signing_keys", "sealed_private_key", key_id)
        session.add(
            SigningKey(
                id=key_id,
                public_key=private.public_key().public_bytes_raw(),
                sealed_private_key=await keyring.seal_platform(place, private.private_bytes_raw()),
                retires_at=now + SIGNING_LIFE,
            )
        )


async def load_signing_keys(owner: OwnerDatabase, keyring: Keyring, clock: Clock) -> Sequence[KeyPair]:
    """Those that sign or may still have signed a living token; makes a new one where the last retired."""
    now = clock()
    await ensure_signing_key(owner, keyring, now)
    async with owner.reading() as session:
        rows = await session.scalars(
            select(SigningKey).where(
                or_(SigningKey.retires_at.is_(None), SigningKey.retires_at > now - VERIFIES_FOR)
            )
        )
        return [await _pair(row, keyring, now) for row in rows]


async def _pair(row: SigningKey, keyring: Keyring, now: datetime) -> KeyPair:
    public = Ed25519PublicKey.from_public_bytes(row.public_key)
    if row.retires_at is not None and row.retires_at <= now:
        return KeyPair(row.id, public, None)
    place = Place("signing_keys", "sealed_private_key", row.id)
    raw = await keyring.open_platform(place, row.sealed_private_key)
    return KeyPair(row.id, public, Ed25519PrivateKey.from_private_bytes(raw))
