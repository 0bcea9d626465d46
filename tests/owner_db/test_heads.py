"""Signed heads are kept as they were signed, and proven long after their keys have retired."""

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.clock import utc_now
from core.ids import new_id
from owner_db.proofs.errors import HeadNotOurs
from owner_db.proofs.heads import HeadKeys, head_given, keep_head, kept_heads, newest_head
from owner_db.users.models import SigningKey
from server.embedded_roles import MIGRATOR_ROLE, OWNER_ROLE
from tenancy.heads import Head, sign_head
from tenancy.sessions import OwnerDatabase, Tenant
from tenancy.tokens import KeyPair, TokenIssuer
from tests.databases import PostgresServer
from tests.factories.tenants import register


@pytest.fixture(autouse=True)
async def registered(owner: OwnerDatabase, tenant: Tenant) -> None:
    await register(owner, tenant.ref)


def head(tenant: Tenant, height: int = 1, hash: bytes = b"\x01" * 32) -> Head:
    return Head(tenant.id, height, hash, 10 * height, utc_now())


async def keep(owner: OwnerDatabase, tokens: TokenIssuer, *heads: Head) -> None:
    async with owner.transaction() as session:
        for each in heads:
            await keep_head(session, each, await sign_head(tokens, each))


async def test_the_first_head_of_a_height_stays(
    owner: OwnerDatabase, tenant: Tenant, tokens: TokenIssuer
) -> None:
    first = head(tenant)
    await keep(owner, tokens, first, head(tenant, hash=b"\x02" * 32))

    async with owner.reading() as session:
        kept = await newest_head(session, tenant.id)

    assert kept is not None
    assert kept.head == first


@pytest.mark.parametrize(
    ("role", "state"), [(OWNER_ROLE, "42501"), (MIGRATOR_ROLE, "23001")], ids=["application", "migrator"]
)
@pytest.mark.parametrize(
    "change", ["UPDATE ledger_heads SET height = 2", "DELETE FROM ledger_heads", "TRUNCATE ledger_heads"]
)
async def test_nobody_changes_a_head(
    owner: OwnerDatabase, postgres: PostgresServer, role: str, state: str, change: str
) -> None:
    connection = await postgres.connect(role, owner.engine.url.database or "")
    try:
        with pytest.raises(asyncpg.PostgresError) as refusal:
            await connection.execute(change)
    finally:
        await connection.close()

    assert refusal.value.sqlstate == state


async def test_a_head_is_proven_by_a_key_that_retired_long_ago(
    owner: OwnerDatabase, tenant: Tenant, tokens: TokenIssuer
) -> None:
    private, key_id, now = Ed25519PrivateKey.generate(), new_id(), utc_now()

    async def retired() -> list[KeyPair]:
        return [KeyPair(key_id, private.public_key(), private)]

    old = TokenIssuer(retired, "http://hazina.test", utc_now)
    signed = await sign_head(old, head(tenant))
    with pytest.raises(HeadNotOurs):
        await head_given(HeadKeys(owner, tokens), tenant.id, signed)
    async with owner.transaction() as session:
        raw = private.public_key().public_bytes_raw()
        session.add(SigningKey(id=key_id, public_key=raw, sealed_private_key=b"-", retires_at=now))

    given = await head_given(HeadKeys(owner, tokens), tenant.id, signed)

    assert (given.height, given.transfers) == (1, 10)


async def test_a_copy_that_is_not_what_was_signed_is_found(
    owner: OwnerDatabase, tenant: Tenant, tokens: TokenIssuer
) -> None:
    one, two, three = (head(tenant, height) for height in (1, 2, 3))
    await keep(owner, tokens, one)
    async with owner.transaction() as session:
        # Its signature is good, but of another head.
        await keep_head(session, two, await sign_head(tokens, three))

    kept = await kept_heads(owner, HeadKeys(owner, tokens), tenant.id, above=0)

    assert (kept.hashes, kept.forged_height) == ({1: one.hash}, 2)
    later = await kept_heads(owner, HeadKeys(owner, tokens), tenant.id, above=2)
    assert (later.hashes, later.forged_height) == ({}, None)
