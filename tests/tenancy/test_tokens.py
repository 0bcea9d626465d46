import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from core.ids import new_id
from tenancy.context import Principal
from tenancy.errors import NotSignedIn
from tenancy.tokens import Authenticator, Claims, KeyPair, TokenIssuer, new_api_key

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ISSUER = "http://127.0.0.1:8000"


def key_pair() -> KeyPair:
    private = Ed25519PrivateKey.generate()
    return KeyPair(new_id(), private.public_key(), private)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class CountingSource:
    """Everybody is known; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def of_claims(self, claims: Claims) -> Principal:
        self.asked += 1
        return Principal("user", claims.user_id, claims.tenant_id, frozenset(), None, claims.expires_at)

    async def of_api_key(self, key_id: UUID, secret_hash: bytes) -> Principal:
        self.asked += 1
        return Principal("api_key", key_id, new_id(), frozenset(), None, None)


def issuer_of(*pairs: KeyPair, clock: Clock | None = None) -> TokenIssuer:
    async def load() -> Sequence[KeyPair]:
        return pairs

    return TokenIssuer(load, ISSUER, clock or Clock())


def new_claims(audience: str = "tenant", tenant_id: UUID | None = None) -> Claims:
    return Claims(new_id(), tenant_id, new_id(), audience, NOW + timedelta(minutes=15))


async def test_a_token_says_what_was_signed() -> None:
    issuer = issuer_of(key_pair())
    claims = new_claims(tenant_id=new_id())

    token = await issuer.issue(claims)

    assert await issuer.verify(token.text, "tenant") == claims


async def test_a_token_of_one_schema_is_refused_on_the_other() -> None:
    issuer = issuer_of(key_pair())

    with pytest.raises(NotSignedIn):
        await issuer.verify((await issuer.issue(new_claims())).text, "owner")


async def test_another_key_without_signature_or_with_hmac_proves_nothing() -> None:
    pair = key_pair()
    issuer = issuer_of(pair)
    body = jwt.decode((await issuer.issue(new_claims())).text, options={"verify_signature": False})
    headers = {"kid": str(pair.id)}
    forged = [
        jwt.encode(body, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers=headers),
        jwt.encode(body, "", algorithm="none", headers=headers),
        jwt.encode(body, pair.public.public_bytes_raw(), algorithm="HS256", headers=headers),
        jwt.encode(body, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": "other"}),
    ]

    for text in forged:
        with pytest.raises(NotSignedIn):
            await issuer.verify(text, "tenant")


async def test_a_retired_key_verifies_and_no_longer_signs() -> None:
    old, new = key_pair(), key_pair()
    token = await issuer_of(old).issue(new_claims())
    issuer = issuer_of(KeyPair(old.id, old.public, None), new)

    assert (await issuer.verify(token.text, "tenant")).audience == "tenant"
    kid = jwt.get_unverified_header((await issuer.issue(new_claims())).text)["kid"]
    assert kid == str(new.id)
    assert [key["kid"] for key in (await issuer.jwks())["keys"]] == [str(old.id), str(new.id)]
    assert all("d" not in key for key in (await issuer.jwks())["keys"])


async def test_a_remembered_token_still_expires() -> None:
    clock = Clock()
    issuer, source = issuer_of(key_pair(), clock=clock), CountingSource()
    authenticator = Authenticator(issuer, source, clock)
    token = await issuer.issue(new_claims())
    await authenticator.principal(token.text, "tenant")

    clock.now += timedelta(minutes=15)

    with pytest.raises(NotSignedIn, match="expired"):
        await authenticator.principal(token.text, "tenant")


async def test_a_caller_is_looked_up_once_for_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 1_000.0
    monkeypatch.setattr("tenancy.tokens.time.monotonic", lambda: seconds)
    issuer, source = issuer_of(key_pair()), CountingSource()
    authenticator = Authenticator(issuer, source, Clock())
    token = await issuer.issue(new_claims())

    for _ in range(3):
        await authenticator.principal(token.text, "tenant")
    assert source.asked == 1

    seconds += 5.1
    await authenticator.principal(token.text, "tenant")
    authenticator.forget()
    await authenticator.principal(token.text, "tenant")
    assert source.asked == 3


async def test_many_who_ask_at_once_with_one_key_are_looked_up_once() -> None:
    class Slow(CountingSource):
        async def of_api_key(self, key_id: UUID, secret_hash: bytes) -> Principal:
            await asyncio.sleep(0)
            return await super().of_api_key(key_id, secret_hash)

    source = Slow()
    authenticator = Authenticator(issuer_of(key_pair()), source, Clock())
    key = new_api_key("sandbox", new_id())

    found = await asyncio.gather(*(authenticator.principal(key.text, "tenant") for _ in range(5)))

    assert ([principal.id for principal in found], source.asked) == ([key.id] * 5, 1)


async def test_an_api_key_names_itself_and_works_on_one_schema() -> None:
    key = new_api_key("sandbox", new_id())
    authenticator = Authenticator(issuer_of(key_pair()), CountingSource(), Clock())

    assert (await authenticator.principal(key.text, "tenant")).id == key.id
    assert key.secret_hash == hashlib.sha256(key.text.encode()).digest()
    with pytest.raises(NotSignedIn):
        await authenticator.principal(key.text, "owner")


@given(st.text() | st.text().map(lambda text: f"hz_{text}") | st.just("x" * 5_000))
async def test_any_other_text_proves_nothing(text: str) -> None:
    authenticator = Authenticator(issuer_of(key_pair()), CountingSource(), Clock())

    with pytest.raises(NotSignedIn):
        await authenticator.principal(text, "tenant")


async def test_a_key_that_another_process_has_just_made_is_known_at_once() -> None:
    pairs = [key_pair()]
    loads = 0

    async def load() -> Sequence[KeyPair]:
        nonlocal loads
        loads += 1
        return list(pairs)

    ours, others = (TokenIssuer(load, ISSUER, Clock()) for _ in range(2))
    await ours.verify((await ours.issue(new_claims())).text, "tenant")
    pairs.append(key_pair())

    token = await others.issue(new_claims())

    assert (await ours.verify(token.text, "tenant")).audience == "tenant"
    loads = 0
    for _ in range(10):
        invented = jwt.encode(
            {}, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": "invented"}
        )
        with pytest.raises(NotSignedIn):
            await ours.verify(invented, "tenant")
    assert loads == 0
