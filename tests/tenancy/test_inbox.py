"""What arrives is kept as it arrived, and once."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tenancy.columns import InboxColumns
from tenancy.inbox import NewMessage, store
from tenancy.sessions import OwnerDatabase, Tenant
from tenancy.shapes import model_of
from tests.racing import race

RESULT = NewMessage(
    "mpesa:1", "stk_result", "ws_CO_1", {"user-agent": "Daraja"}, b'{"Body": {}}\n', b"h" * 32
)


async def test_a_message_is_kept_byte_by_byte(tenant: Tenant) -> None:
    async with tenant.transaction() as session:
        message = await store(session, RESULT)

    async with tenant.reading() as session:
        row = await session.get_one(model_of(session, InboxColumns), message)
    assert (row.body, row.headers, row.item_hash, row.state) == (
        RESULT.body,
        RESULT.headers,
        RESULT.item_hash,
        "received",
    )


async def test_the_same_message_again_is_dropped_but_not_another_sources(tenant: Tenant) -> None:
    async with tenant.transaction() as session:
        assert await store(session, RESULT) is not None
        assert await store(session, replace(RESULT, body=b"altered")) is None
        assert await store(session, replace(RESULT, source="mpesa:2")) is not None


async def test_ten_deliveries_at_once_are_kept_once(tenant: Tenant) -> None:
    async def deliver() -> object:
        async with tenant.transaction() as session:
            return await store(session, RESULT)

    kept = await race(tenant, text("LOCK TABLE inbox IN EXCLUSIVE MODE"), [deliver] * 10)

    assert sum(message is not None for message in kept) == 1


async def test_the_owners_inbox_says_for_which_tenant_it_keeps_a_message(
    owner: OwnerDatabase, tenant: Tenant
) -> None:
    async with owner.transaction() as session:
        assert await store(session, RESULT, tenant_id=tenant.id) is not None
    with pytest.raises(IntegrityError, match="tenant_id"):
        async with owner.transaction() as session:
            await store(session, replace(RESULT, external_id="2"))
