"""Seals secrets, each bound to its tenant, table, column and row, under the tenant's own data key."""

import base64
import binascii
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenancy.flights import Flights
from tenancy.wrappers import KEY_BYTES, KeyMissing, KeyWrapper, SealBroken

TTL_S_MAX: Final = 300.0
"""Unwrapped keys stay in memory no longer: then a destroyed key is destroyed here too."""
KEYS_MAX: Final = 5_000
NONCE_BYTES: Final = 12
FORMAT: Final = "v1"
FIRST_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A tenant's data key as the owner database keeps it."""

    version: int
    wrapped: bytes
    wrapper: str
    """The name of the master key that wrapped it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value is stored; moved anywhere else, it does not open."""

    table: str
    column: str
    row_id: UUID


class Secret:
    """An opened secret. It prints as `<sealed>`; `reveal` is the one way to its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "<sealed>"


@dataclass(frozen=True, slots=True)
class _Keys:
    """A tenant's unwrapped keys by version."""

    ciphers: Mapping[int, AESGCM]
    newest: int
    stale_at: float
    """On the monotonic clock."""


class Keyring:
    """Opens and closes sealed values; keeps unwrapped data keys for some minutes."""

    def __init__(
        self,
        load: Callable[[UUID], Awaitable[Sequence[WrappedKey]]],
        wrapper: KeyWrapper,
        *,
        retired: Sequence[KeyWrapper] = (),
        ttl_s: float = TTL_S_MAX,
    ) -> None:
        """`load` gives every version of a tenant's data key; `retired` wrappers only unwrap."""
        if not 0 < ttl_s <= TTL_S_MAX:
            raise ValueError(f"data keys may be kept for at most {TTL_S_MAX} s")
        self._load = load
        self._wrapper = wrapper
        self._wrappers = {one.name: one for one in (*retired, wrapper)}
        self._ttl_s = ttl_s
        self._known: dict[UUID, _Keys] = {}
        self._flights = Flights(self._unwrapped)

    async def seal(self, tenant_id: UUID, place: Place, plaintext: str) -> str:
        """Encrypt under the newest data key: `v1.{key version}.{nonce}.{ciphertext}`, base64url.

        Raises:
            KeyMissing: the tenant has no data key, or its master key is not here.
        """
        keys = await self._keys_of(tenant_id)
        nonce = secrets.token_bytes(NONCE_BYTES)
        bound = _bound(str(tenant_id), place, keys.newest)
        ciphertext = keys.ciphers[keys.newest].encrypt(nonce, plaintext.encode(), bound)
        return f"{FORMAT}.{keys.newest}.{_text(nonce)}.{_text(ciphertext)}"

    async def open(self, tenant_id: UUID, place: Place, sealed: str) -> Secret:
        """Decrypt what was sealed for this tenant and place. The caller audits it.

        Raises:
            SealBroken: it was changed, moved, or sealed for another tenant or place.
            KeyMissing: the key it was sealed with is gone: the tenant was deleted.
        """
        version, nonce, ciphertext = _parts(sealed)
        keys = await self._keys_of(tenant_id)
        if version not in keys.ciphers:
            # Another process may have added it since.
            self.forget(tenant_id)
            keys = await self._keys_of(tenant_id)
        if version not in keys.ciphers:
            raise KeyMissing(f"the tenant's data key has no version {version}")
        bound = _bound(str(tenant_id), place, version)
        return Secret(_decrypt(keys.ciphers[version], nonce, ciphertext, bound).decode())

    def forget(self, tenant_id: UUID) -> None:
        """Drop a tenant's keys: they were rotated or destroyed."""
        self._known.pop(tenant_id, None)
        self._flights.part(tenant_id)

    async def new_wrapped_key(self, version: int = FIRST_VERSION) -> WrappedKey:
        """Make a data key; the caller stores it. It exists nowhere else."""
        wrapped = await self._wrapper.wrap(AESGCM.generate_key(8 * KEY_BYTES))
        return WrappedKey(version, wrapped, self._wrapper.name)

    async def rewrap(self, key: WrappedKey) -> WrappedKey:
        """The same data key under the present master key. Raises KeyMissing."""
        plain = await self._named(key.wrapper).unwrap(key.wrapped)
        return WrappedKey(key.version, await self._wrapper.wrap(plain), self._wrapper.name)

    async def seal_platform(self, place: Place, secret: bytes) -> bytes:
        """Encrypt a secret of the platform itself, under a key of its own that the master key wraps."""
        key = AESGCM.generate_key(8 * KEY_BYTES)
        nonce = secrets.token_bytes(NONCE_BYTES)
        ciphertext = AESGCM(key).encrypt(nonce, secret, _bound("platform", place, FIRST_VERSION))
        wrapped = await self._wrapper.wrap(key)
        parts = (FORMAT, self._wrapper.name, _text(wrapped), _text(nonce), _text(ciphertext))
        return ".".join(parts).encode()

    async def open_platform(self, place: Place, sealed: bytes) -> bytes:
        """Decrypt a secret of the platform itself.

        Raises:
            SealBroken: it was changed or moved.
            KeyMissing: the master key that wrapped it is not here.
        """
        parts = sealed.decode(errors="replace").split(".")
        if len(parts) != 5 or parts[0] != FORMAT:  # noqa: PLR2004 - the five of seal_platform
            raise SealBroken
        key = await self._named(parts[1]).unwrap(_bytes(parts[2]))
        bound = _bound("platform", place, FIRST_VERSION)
        return _decrypt(AESGCM(key), _bytes(parts[3]), _bytes(parts[4]), bound)

    async def _keys_of(self, tenant_id: UUID) -> _Keys:
        known = self._known.get(tenant_id)
        if known is not None and monotonic() < known.stale_at:
            return known
        return await self._flights.join(tenant_id)

    async def _unwrapped(self, tenant_id: UUID) -> _Keys:
        asked_at = monotonic()
        wrapped = await self._load(tenant_id)
        if not wrapped:
            raise KeyMissing("the tenant has no data key")
        ciphers = {key.version: AESGCM(await self._named(key.wrapper).unwrap(key.wrapped)) for key in wrapped}
        keys = _Keys(ciphers, max(ciphers), asked_at + self._ttl_s)
        if self._flights.is_current(tenant_id):
            self._known.pop(tenant_id, None)
            self._known[tenant_id] = keys
            if len(self._known) > KEYS_MAX:
                del self._known[next(iter(self._known))]
        return keys

    def _named(self, name: str) -> KeyWrapper:
        if name not in self._wrappers:
            raise KeyMissing(f"the master key {name} is not here")
        return self._wrappers[name]


def _bound(whose: str, place: Place, version: int) -> bytes:
    return f"{whose}|{place.table}|{place.column}|{place.row_id}|{version}".encode()


def _parts(sealed: str) -> tuple[int, bytes, bytes]:
    parts = sealed.split(".")
    if len(parts) != 4 or parts[0] != FORMAT or not parts[1].isdecimal():  # noqa: PLR2004 - the four of seal
        raise SealBroken
    return int(parts[1]), _bytes(parts[2]), _bytes(parts[3])


def _decrypt(cipher: AESGCM, nonce: bytes, ciphertext: bytes, bound: bytes) -> bytes:
    try:
        return cipher.decrypt(nonce, ciphertext, bound)
    except (InvalidTag, ValueError) as error:
        raise SealBroken from error


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise SealBroken from error
