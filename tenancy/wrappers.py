"""Master keys: what wraps the data keys of tenants and never touches a secret itself.

Exception
├── SealBroken             changed, moved, or of another tenant or place
├── KeyMissing             the key is not here, or was destroyed
└── MasterKeyUnusable      the file is missing, of the wrong size, or open to others
"""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
WRAPPED_FOR: Final = b"hazina data key"


class SealBroken(Exception):
    """A sealed value does not open: it was changed or moved. Never retried, never shown."""


class KeyMissing(Exception):
    """The key a value was sealed with is not here."""


class MasterKeyUnusable(Exception):
    """The process must not start with this master key."""


class KeyWrapper(Protocol):
    """A master key: a local file, a KMS, or an HSM."""

    @property
    def name(self) -> str:
        """Which master key it is; stored beside what it wrapped. Has no dot in it."""
        ...

    async def wrap(self, key: bytes) -> bytes: ...

    async def unwrap(self, wrapped: bytes) -> bytes:
        """Raises SealBroken."""
        ...


class LocalKeyWrapper:
    """A master key in a file of 32 random bytes that only its owner may read."""

    def __init__(self, path: Path) -> None:
        """Raises MasterKeyUnusable."""
        key = _read(path)
        self.name = f"local-{hashlib.sha256(key).hexdigest()[:12]}"
        self._cipher = AESGCM(key)

    @classmethod
    def made_if_missing(cls, path: Path) -> "LocalKeyWrapper":
        """For development: make the file on first use, whichever process comes first.

        Raises:
            MasterKeyUnusable: it is there and can't be used.
        """
        if not path.exists():
            _make(path)
        return cls(path)

    async def wrap(self, key: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, WRAPPED_FOR)

    async def unwrap(self, wrapped: bytes) -> bytes:
        """Raises SealBroken."""
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], WRAPPED_FOR)
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error


def refuse_inside(path: Path, data_dir: Path) -> None:
    """Keep the master key away from what it protects: one stolen folder must not hold both.

    Raises:
        MasterKeyUnusable: `path` lies in `data_dir`, links resolved.
    """
    if path.resolve().is_relative_to(data_dir.resolve()):
        raise MasterKeyUnusable(
            f"The master key {path} lies in the data directory {data_dir}. Move it out, and set"
            " HAZINA_MASTER_KEY_FILE to where it is."
        )


def _read(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        key = path.read_bytes()
    except OSError as error:
        raise MasterKeyUnusable(
            f"The master key {path} can't be read: {error.strerror}. Make one with:"
            f" (umask 077; head -c {KEY_BYTES} /dev/urandom > {path})"
        ) from error
    if mode & 0o077:
        raise MasterKeyUnusable(f"The master key {path} is open to others: chmod 600 {path}")
    if len(key) != KEY_BYTES:
        raise MasterKeyUnusable(f"The master key {path} has {len(key)} bytes and must have {KEY_BYTES}.")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        # A link fails where another process was faster, and never shows half a key.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
