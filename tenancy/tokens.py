"""Access tokens and API keys: from what a caller sends to who it speaks for."""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from core.clock import Clock
from core.errors import InvalidInput
from core.ids import Kind, inside, outside
from tenancy.context import Principal
from tenancy.errors import NotSignedIn
from tenancy.flights import Flights

ALGORITHM: Final = "EdDSA"
ACCESS_TOKEN_LIFE: Final = timedelta(minutes=15)
RECHECK_S: Final = 4.0
"""How long a verified token is believed before its user, role or key is looked up again."""
CACHED_TOKENS_MAX: Final = 20_000
KEYS_REFRESH_S: Final = 60.0
KEYS_MISSED_S: Final = 1.0
"""How often a key that is not known may have the keys looked up again: anybody can name one."""
TOKEN_BYTES_MAX: Final = 4_096
REQUIRED_CLAIMS: Final = ["exp", "iat", "sub", "sid", "aud", "iss"]


@dataclass(frozen=True, slots=True)
class KeyPair:
    """One signing key; `private` is None once it has retired and only verifies."""

    id: UUID
    public: Ed25519PublicKey
    private: Ed25519PrivateKey | None


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says. The role is not in it: it is looked up, so that a change bites."""

    user_id: UUID
    tenant_id: UUID | None
    session_id: UUID
    audience: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A signed token and when it ends."""

    text: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A fresh API key; `text` is shown once and never stored."""

    id: UUID
    text: str
    secret_hash: bytes
    hint: str


class PrincipalSource(Protocol):
    """Looks up what a proven caller may do now."""

    async def of_claims(self, claims: Claims) -> Principal:
        """Raises NotSignedIn where the user, session or membership has ended."""
        ...

    async def of_api_key(self, key_id: UUID, secret_hash: bytes) -> Principal:
        """Raises NotSignedIn where the key is unknown, revoked or expired."""
        ...


class TokenIssuer:
    """Signs and verifies access tokens (JWT, RFC 7519; EdDSA by RFC 8037)."""

    def __init__(self, load: Callable[[], Awaitable[Sequence[KeyPair]]], issuer: str, clock: Clock) -> None:
        self._load = load
        self._issuer = issuer
        self._clock = clock
        self._keys: dict[str, KeyPair] = {}
        self._loaded_at = float("-inf")
        self._missed_at = float("-inf")
        self._loading = asyncio.Lock()

    async def issue(self, claims: Claims) -> AccessToken:
        """Sign `claims` with the newest key that has not retired."""
        body = {
            "iss": self._issuer,
            "aud": claims.audience,
            "sub": outside(Kind.USER, claims.user_id),
            "sid": str(claims.session_id),
            "iat": self._clock(),
            "exp": claims.expires_at,
        }
        if claims.tenant_id is not None:
            body["tenant"] = outside(Kind.TENANT, claims.tenant_id)
        return AccessToken(await self._signed(body, {}), claims.expires_at)

    async def sign_statement(self, kind: str, facts: Mapping[str, Any]) -> str:
        """A compact JWS of `kind` (its `typ`) that says `facts`. Without an audience it opens nothing."""
        return await self._signed({"iss": self._issuer, **facts}, {"typ": kind})

    async def public_key(self, id: str) -> Ed25519PublicKey | None:
        """None where the key is not, or no longer, one that tokens are verified with."""
        pair = (await self._fresh_keys()).get(id)
        return None if pair is None else pair.public

    async def verify(self, text: str, audience: str) -> Claims:
        """Prove that we signed `text` for `audience` and that it has not expired.

        Raises:
            NotSignedIn: it is no token of ours, for the other schema, or too old.
        """
        return self._claims(await self.read(text, audience, REQUIRED_CLAIMS), audience)

    async def read(self, text: str, audience: str, required: Sequence[str]) -> Mapping[str, Any]:
        """What we have signed for `audience`; whether its time is over is for the caller to judge.

        Raises:
            NotSignedIn: we have not signed it, not for this, or not all that is `required`.
        """
        try:
            pair = await self._key_named(str(jwt.get_unverified_header(text).get("kid")))
            # Time is judged elsewhere, by the clock that was passed in.
            body: Mapping[str, Any] = jwt.decode(
                text,
                pair.public,
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=self._issuer,
                options={"require": list(required), "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise NotSignedIn from error
        return body

    async def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public keys as a JSON Web Key Set (RFC 7517)."""
        keys = await self._fresh_keys()
        return {"keys": [_jwk(pair) for pair in keys.values()]}

    async def _signed(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> str:
        keys = await self._fresh_keys()
        pair = next(pair for pair in reversed(keys.values()) if pair.private is not None)
        assert pair.private is not None  # noqa: S101 - chosen by the line above
        return jwt.encode(
            dict(body), pair.private, algorithm=ALGORITHM, headers={"kid": str(pair.id), **headers}
        )

    def _claims(self, body: Mapping[str, Any], audience: str) -> Claims:
        expires_at = datetime.fromtimestamp(body["exp"], UTC)
        if expires_at <= self._clock():
            raise NotSignedIn("Your access token has expired. Call refreshSession for a new one.")
        tenant = body.get("tenant")
        return Claims(
            user_id=inside(Kind.USER, body["sub"]),
            tenant_id=None if tenant is None else inside(Kind.TENANT, tenant),
            session_id=UUID(body["sid"]),
            audience=audience,
            expires_at=expires_at,
        )

    async def _key_named(self, kid: str) -> KeyPair:
        keys = await self._fresh_keys()
        if kid not in keys and time.monotonic() - self._missed_at > KEYS_MISSED_S:
            # Another process may have made it a moment ago.
            self._missed_at = time.monotonic()
            keys = await self._keys_since(self._missed_at)
        if kid not in keys:
            raise NotSignedIn
        return keys[kid]

    async def _fresh_keys(self) -> dict[str, KeyPair]:
        return await self._keys_since(time.monotonic() - KEYS_REFRESH_S)

    async def _keys_since(self, moment: float) -> dict[str, KeyPair]:
        """The keys as they were at `moment` (monotonic) or later."""
        if self._loaded_at < moment:
            async with self._loading:
                if self._loaded_at < moment:
                    asked_at = time.monotonic()
                    pairs = sorted(await self._load(), key=lambda pair: pair.id)
                    self._keys, self._loaded_at = {str(pair.id): pair for pair in pairs}, asked_at
        return self._keys


class Authenticator:
    """Turns a bearer token or API key into a principal, remembering each proof for some seconds."""

    def __init__(self, issuer: TokenIssuer, source: PrincipalSource, clock: Clock) -> None:
        self._issuer = issuer
        self._source = source
        self._clock = clock
        self._proven: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        # Hundreds of sockets may hold one key, and each asks again as soon as its proof has grown old.
        self._proofs: Flights[tuple[str, str], Principal] = Flights(self._prove_once)

    async def principal(self, bearer: str, audience: str) -> Principal:
        """Who `bearer` speaks for on the schema `audience` (`tenant` or `owner`).

        A revoked key, an ended session or a changed role is noticed after at most RECHECK_S.

        Raises:
            NotSignedIn: it proves nothing, or no longer counts.
        """
        if len(bearer) > TOKEN_BYTES_MAX:
            raise NotSignedIn
        known = self._proven.get(_digest(bearer, audience))
        if known is not None and time.monotonic() - known[1] < RECHECK_S:
            return self._unexpired(known[0])
        return await self._proofs.join((bearer, audience))

    def forget(self) -> None:
        """Look everybody up again: something was revoked."""
        self._proven.clear()
        self._proofs.part_all()

    async def _prove_once(self, asked: tuple[str, str]) -> Principal:
        bearer, audience = asked
        digest = _digest(bearer, audience)
        self._proven.pop(digest, None)
        principal = await self._prove(bearer, audience)
        if self._proofs.is_current(asked):
            self._proven[digest] = (principal, time.monotonic())
            if len(self._proven) > CACHED_TOKENS_MAX:
                self._proven.popitem(last=False)
        return principal

    def _unexpired(self, principal: Principal) -> Principal:
        if principal.expires_at is not None and principal.expires_at <= self._clock():
            raise NotSignedIn("Your access token has expired. Call refreshSession for a new one.")
        return principal

    async def _prove(self, bearer: str, audience: str) -> Principal:
        if bearer.startswith("hz_"):
            if audience != "tenant":
                raise NotSignedIn("API keys work on /graphql only. Sign in as platform staff.")
            key_id = _api_key_id(bearer)
            return await self._source.of_api_key(key_id, hashlib.sha256(bearer.encode()).digest())
        return await self._source.of_claims(await self._issuer.verify(bearer, audience))


def _digest(bearer: str, audience: str) -> bytes:
    """What is remembered of a bearer: not the bearer itself."""
    return hashlib.sha256(f"{audience}|{bearer}".encode(errors="replace")).digest()


def new_api_key(environment: str, key_id: UUID) -> NewApiKey:
    """Make `hz_{environment}_{id}_{256 random bits}`."""
    suffix = outside(Kind.API_KEY, key_id).partition("_")[2]
    text = f"hz_{environment}_{suffix}_{secrets.token_hex(32)}"
    return NewApiKey(key_id, text, hashlib.sha256(text.encode()).digest(), text[-4:])


def _api_key_id(text: str) -> UUID:
    parts = text.split("_")
    if len(parts) != 4:  # noqa: PLR2004 - hz, environment, id, secret
        raise NotSignedIn
    try:
        return inside(Kind.API_KEY, f"{Kind.API_KEY}_{parts[2]}")
    except InvalidInput as error:
        raise NotSignedIn from error


def _jwk(pair: KeyPair) -> dict[str, Any]:
    key: dict[str, Any] = OKPAlgorithm.to_jwk(pair.public, as_dict=True)
    return {**key, "kid": str(pair.id), "use": "sig", "alg": ALGORITHM}
